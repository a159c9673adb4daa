import type { WarmImage, WarmRequest } from '../../../admin/warming/warm.request.js';
import { OciError } from '../../../oci/error.js';
import { parsePlatform, platformText, type Platform } from '../../../oci/platform.js';
import { referenceText } from '../../../oci/typed-reference.js';
import { Untrusted } from '../../components/untrusted.js';
import type { PageContext } from '../../page.context.js';
import type { PageRedirect, PageView } from '../../page.js';
import { operatorOf, type ActionServices } from './action.context.js';
import { Confirmation } from './confirmation.js';

/** Images of one form; the command takes more. */
const maxImages = 100;
const maxPlatforms = 32;

interface Wanted {
  /** As they were typed. */
  readonly images: string;
  readonly platforms: string;
  readonly request: WarmRequest;
  /** What is no platform. */
  readonly problem: string | undefined;
}

export function showWarm(services: ActionServices, context: PageContext): PageView {
  const wanted = wantedOf(services, context, context.query);
  const { images, platforms, request, problem } = wanted;
  const isComplete = request.images.length > 0 && problem === undefined;
  return {
    title: isComplete ? 'Warm these images?' : 'Warm images',
    content: isComplete ? (
      <>
        <p>They are pulled as by a client, so that they are stored when clients need them:</p>
        <ul>
          {request.images.map(({ text, image }) => (
            <li>
              <Untrusted text={image instanceof OciError ? `${text}: ${image.message}` : referenceText(image)} />
            </li>
          ))}
        </ul>
        <p>{platforms === '' ? 'All platforms.' : `Platforms: ${request.platforms.map(platformText).join(', ')}.`}</p>
        <Confirmation
          verb="warm"
          fields={{ images, platforms }}
          csrf={context.csrf()}
          proof={services.proofOf(context, aboutOf(wanted))}
          name="Warm now"
          back="/_ui/actions/warm"
        />
      </>
    ) : (
      <WarmForm wanted={wanted} />
    ),
  };
}

export function doWarm(services: ActionServices, context: PageContext, form: URLSearchParams): PageRedirect {
  const wanted = wantedOf(services, context, form);
  services.assertMay(context, context.visitor.isAdministrator, aboutOf(wanted), form);
  const { request } = wanted;
  if (request.images.length === 0) throw new OciError('REQUEST_INVALID', 'no images are given');
  const job = services.jobs.warm(request, context.visitor.identity);
  for (const { image } of request.images)
    if (!(image instanceof OciError)) services.actions.note(operatorOf(context, 'admin'), 'warm', image);
  return { location: `/_ui/actions/job?id=${job.id}` };
}

function WarmForm({ wanted: { images, platforms, problem } }: { readonly wanted: Wanted }) {
  return (
    <form class="fields" method="get" action="/_ui/actions/warm">
      {problem !== undefined && (
        <p class="notice bad" role="alert">
          <Untrusted text={problem} />
        </p>
      )}
      <label>
        {`Images, one a line, at most ${maxImages}`}
        <textarea name="images" rows={6} required spellcheck={false}>
          {images}
        </textarea>
      </label>
      <label>
        Platforms, all if empty
        <input type="text" name="platforms" placeholder="linux/amd64, linux/arm64" value={platforms} />
      </label>
      <p>
        <button class="primary" type="submit">
          Continue
        </button>
      </p>
    </form>
  );
}

function wantedOf(services: ActionServices, context: PageContext, form: URLSearchParams): Wanted {
  const lines = (form.get('images') ?? '').split(/\r?\n/).map((line) => line.trim());
  const texts = [...new Set(lines.filter((line) => line !== ''))].slice(0, maxImages);
  const names = (form.get('platforms') ?? '').split(/[\s,]+/).filter((name) => name !== '');
  const platforms = names.map((name) => parsePlatform(name)).filter((each): each is Platform => each !== undefined);
  const isWrong = platforms.length < names.length || names.length > maxPlatforms;
  return {
    images: texts.join('\n'),
    platforms: names.join(','),
    request: { images: texts.map((text) => imageOf(services, context, text)), platforms },
    problem: isWrong
      ? 'A platform is os/architecture or os/architecture/variant, and there are too many or others.'
      : undefined,
  };
}

function imageOf(services: ActionServices, context: PageContext, text: string): WarmImage {
  try {
    return { text, image: services.imageOf(context, text) };
  } catch (error) {
    if (error instanceof OciError) return { text: text.slice(0, 256), image: error };
    throw error;
  }
}

function aboutOf({ images, platforms }: Wanted): string {
  return `warm ${platforms}\n${images}`;
}
