import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AwsAccount } from './aws-account.js';
import { FakeContainerAgent } from './ecs.js';
import { FakeEcr } from './ecr.js';
import { FakeImds } from './imds.js';
import type { ScriptedCloud } from './scripted-cloud.js';
import { FakeSts } from './sts.js';

/** An AWS account with its services, and what this machine would be given to use it. */
export class FakeAws implements AsyncDisposable {
  readonly account = new AwsAccount();
  readonly ecr = new FakeEcr(this.account);
  readonly ecrPublic = new FakeEcr(this.account, 'us-east-1', true);
  readonly sts = new FakeSts(this.account);
  readonly imds = new FakeImds(this.account);
  readonly agent = new FakeContainerAgent(this.account);

  private constructor(readonly folder: string) {}

  static async start(): Promise<FakeAws> {
    const aws = new FakeAws(await mkdtemp(join(tmpdir(), 'oci-registry-aws-')));
    await Promise.all(aws.services.map((service) => service.start()));
    return aws;
  }

  /** The variables of a machine without any keys. */
  get env() {
    return {
      AWS_ENDPOINT_URL_ECR: this.ecr.url,
      AWS_ENDPOINT_URL_ECR_PUBLIC: this.ecrPublic.url,
      AWS_ENDPOINT_URL_STS: this.sts.url,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: this.imds.url,
      AWS_CONFIG_FILE: join(this.folder, 'config'),
      AWS_SHARED_CREDENTIALS_FILE: join(this.folder, 'credentials'),
    };
  }

  /** Keys of a user in the environment. */
  get userEnv() {
    return {
      ...this.env,
      AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
      AWS_SECRET_ACCESS_KEY: 'planted-secret-key/of+a/user',
    };
  }

  /** A service account of a cluster that may use a role (IRSA). */
  async webIdentityEnv(token = 'planted-web-identity-token') {
    return {
      ...this.env,
      AWS_REGION: 'eu-central-1',
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/irsa',
      AWS_WEB_IDENTITY_TOKEN_FILE: await this.write('token', `${token}\n`),
    };
  }

  /** A pod with an association of EKS Pod Identity. */
  async podIdentityEnv() {
    this.agent.token = 'planted-pod-identity-token';
    return {
      ...this.env,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${this.agent.url}/v1/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: await this.write('pod-token', this.agent.token),
    };
  }

  /** @returns the path */
  async write(name: string, text: string): Promise<string> {
    const path = join(this.folder, name);
    await writeFile(path, text);
    return path;
  }

  /** Everything that any of the services was sent. */
  get requests() {
    return this.services.flatMap(({ requests }) => requests);
  }

  private get services(): readonly ScriptedCloud[] {
    return [this.ecr, this.ecrPublic, this.sts, this.imds, this.agent];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.services.map((service) => service[Symbol.asyncDispose]()));
    await rm(this.folder, { recursive: true, force: true });
  }
}
