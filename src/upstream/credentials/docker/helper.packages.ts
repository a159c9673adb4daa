/** Where to find well-known helpers, and what takes their place without a program. */
const known: Readonly<Record<string, string>> = {
  'ecr-login': 'install the Amazon ECR credential helper, or use the source ecr, which needs no program',
  gcloud: 'install the Google Cloud CLI, or use the source google, which needs no program',
  gcr: 'install docker-credential-gcr, or use the source google, which needs no program',
  'acr-env': 'install docker-credential-acr-env, or use the source azure, which needs no program',
  'acr-login': 'install the ACR credential helper, or use the source azure, which needs no program',
  desktop: 'it is a part of Docker Desktop: sign in with a config.json that has no credsStore',
  osxkeychain: 'it is for macOS: sign in with a config.json that has no credsStore',
  wincred: 'it is for Windows: sign in with a config.json that has no credsStore',
  pass: 'install docker-credential-pass of docker-credential-helpers',
  secretservice: 'install docker-credential-secretservice of docker-credential-helpers',
};

/** @param name what follows `docker-credential-`, or a path */
export function installationOf(name: string): string {
  const short = name.replace(/^.*\//, '').replace(/^docker-credential-/, '');
  const how = Object.hasOwn(known, short) ? known[short] : undefined;
  return `${how ?? 'install it'} (the container image has no helpers)`;
}
