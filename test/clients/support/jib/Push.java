import com.google.cloud.tools.jib.api.Containerizer;
import com.google.cloud.tools.jib.api.Jib;
import com.google.cloud.tools.jib.api.RegistryImage;
import com.google.cloud.tools.jib.api.buildplan.AbsoluteUnixPath;
import com.google.cloud.tools.jib.api.buildplan.ImageFormat;
import com.google.cloud.tools.jib.api.buildplan.Platform;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Builds an image of a file on a base image as jib's plugins do, pushes it, and prints its digest. Its environment says what. */
public class Push {
  public static void main(String[] none) throws Exception {
    Map<String, String> env = System.getenv();
    Path cache = Path.of(env.get("CACHE"));
    Containerizer target =
        Containerizer.to(named(env.get("TARGET"), env))
            .setAllowInsecureRegistries(true)
            .setBaseImageLayersCache(cache.resolve("base"))
            .setApplicationLayersCache(cache.resolve("application"));
    for (String tag : list(env.get("TAGS"))) target.withAdditionalTag(tag);
    // That is its name for Docker Hub.
    if (env.containsKey("MIRROR")) target.addRegistryMirrors("registry-1.docker.io", List.of(env.get("MIRROR")));
    Set<Platform> platforms = new LinkedHashSet<>();
    for (String architecture : list(env.get("ARCHITECTURES"))) platforms.add(new Platform(architecture, "linux"));
    String base = env.get("BASE");
    var digest =
        (base.equals("scratch") ? Jib.fromScratch() : Jib.from(named(base, env)))
            .setPlatforms(platforms)
            .setFormat(ImageFormat.valueOf(env.get("FORMAT")))
            .addLayer(List.of(Path.of(env.get("FILE"))), AbsoluteUnixPath.get("/app"))
            .setEntrypoint("/bin/cat", "/app/file")
            .containerize(target)
            .getDigest();
    System.out.println(digest);
  }

  private static RegistryImage named(String name, Map<String, String> env) throws Exception {
    RegistryImage image = RegistryImage.named(name);
    return env.containsKey("USERNAME") ? image.addCredential(env.get("USERNAME"), env.get("PASSWORD")) : image;
  }

  private static List<String> list(String commas) {
    return commas.isEmpty() ? List.of() : Arrays.asList(commas.split(","));
  }
}
