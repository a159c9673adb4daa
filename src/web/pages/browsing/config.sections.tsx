import type { JsonEntries } from '../../../oci/json/json.entries.js';
import type { ShownChart, ShownConfig } from '../../../oci/manifests/image-config.js';
import { Facts, Section } from '../../components/section.js';
import { Untrusted, UntrustedCode } from '../../components/untrusted.js';
import { ExternalLink, useFormats } from '../../components/values.js';
import { Created } from './content.sections.js';

/** What a container of the image starts with, and the labels. */
export function ConfigSection({ config }: { readonly config: ShownConfig }) {
  const { created, author, user, workingDirectory, stopSignal, labels } = config;
  return (
    <>
      <Section id="configuration" title="Configuration">
        <Facts
          facts={[
            ['Made', created === undefined ? undefined : <Created text={created} />],
            ['Author', text(author)],
            ['Entry point', command(config.entrypoint)],
            ['Command', command(config.command)],
            ['User', text(user)],
            ['Folder', text(workingDirectory)],
            ['Ports', text(config.ports.join(', '))],
            ['Volumes', text(config.volumes.join(', '))],
            ['Stop signal', text(stopSignal)],
            ['Environment', list(config.environment)],
          ]}
        />
      </Section>
      {labels.entries.length > 0 && (
        <Section id="labels" title="Labels">
          <Entries entries={labels} />
        </Section>
      )}
    </>
  );
}

/** Metadata of a Helm chart. */
export function ChartSection({ chart }: { readonly chart: ShownChart }) {
  return (
    <Section id="chart" title="Chart">
      {chart.isDeprecated && <p class="notice">This chart is marked as deprecated.</p>}
      <Facts
        facts={[
          ['Name', text(chart.name)],
          ['Version', text(chart.version)],
          ['Version of the application', text(chart.appVersion)],
          ['Description', text(chart.description)],
          ['Kubernetes', text(chart.kubeVersion)],
          ['Home', chart.home === undefined ? undefined : <Linked text={chart.home} />],
          ['Dependencies', list(chart.dependencies)],
        ]}
      />
    </Section>
  );
}

/** Names and texts that nobody knows before. */
export function Entries({ entries: { entries, more } }: { readonly entries: JsonEntries }) {
  const formats = useFormats();
  return (
    <>
      <dl class="facts long">
        {entries.map((entry) => (
          <div>
            <dt>
              <Untrusted text={entry.name} />
            </dt>
            <dd>
              <Linked text={entry.text} />
            </dd>
          </div>
        ))}
      </dl>
      {more > 0 && <p class="note">{formats.count(more)} more are not shown.</p>}
    </>
  );
}

/** A web address of an image is a link, when all of it can be seen. */
function Linked({ text: value }: { readonly text: string }) {
  return /^https?:\/\/[\x21-\x7e]{1,500}$/.test(value) ? <ExternalLink url={value} /> : <UntrustedCode text={value} />;
}

function text(value: string | undefined) {
  return value === undefined || value === '' ? undefined : <Untrusted text={value} />;
}

function command(words: readonly string[]) {
  return words.length === 0 ? undefined : <UntrustedCode text={JSON.stringify(words)} />;
}

function list(values: readonly string[]) {
  if (values.length === 0) return undefined;
  return values.map((value) => (
    <>
      <UntrustedCode text={value} />
      <br />
    </>
  ));
}
