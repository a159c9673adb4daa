import { access } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import { isSendable, unsendable } from '../../../config/credentials/docker/auth.entry.js';
import { Secret } from '../../../config/values/secret.js';
import { isObject } from '../../../oci/manifest.js';
import { CredentialError, type UpstreamCredentials } from '../credential.source.js';
import { installationOf } from './helper.packages.js';
import { shownUser } from './shown.user.js';
import { maxOutput, ProgramError, runProgram, timeLimit, type Ended } from './helper.program.js';

/** What helpers write when they have nothing (docker-credential-helpers, credentials/error.go). */
const notFound = 'credentials not found in native keychain';
const isAboutServer = (text: string) => text === 'no credentials server URL';
/** The user of a secret that is an identity token. */
const tokenUser = '<token>';

/** A program that speaks the protocol of Docker's credential helpers. */
export class Helper {
  private readonly program: string;

  /** @param name what follows `docker-credential-` in the name of a program in PATH, or an absolute path. */
  constructor(
    private readonly name: string,
    private readonly limit = timeLimit,
  ) {
    this.program = isAbsolute(name) ? name : `docker-credential-${name}`;
  }

  /** @returns undefined when it has none for the server. @throws CredentialError whose message has nothing of its output */
  async get(server: string, signal: AbortSignal): Promise<UpstreamCredentials | undefined> {
    const ended = await this.run(server, signal);
    if (ended.code !== 0) {
      if (ended.output.trim() === notFound) return undefined;
      throw new CredentialError(this.failure(ended, server));
    }
    return this.parse(ended.output);
  }

  private async run(server: string, signal: AbortSignal): Promise<Ended> {
    try {
      return await runProgram(this.program, server, signal, this.limit);
    } catch (error) {
      if (error instanceof ProgramError) throw new CredentialError(await this.explain(error));
      throw error;
    }
  }

  private parse(output: string): UpstreamCredentials | undefined {
    const { username, secret } = this.fieldsOf(output);
    if (username === '' && secret === '') return undefined;
    if (secret === '') throw new CredentialError(`${this.program} gave a user without a secret`);
    if (!isSendable(username) || !isSendable(secret))
      throw new CredentialError(`${this.program} gave a user or a secret with ${unsendable}`);
    if (username.includes(':'))
      throw new CredentialError(`${this.program} gave a user with a colon, which ends a user`);
    const isToken = username === tokenUser;
    return {
      username: isToken ? '' : username,
      password: new Secret(secret),
      kind: isToken ? 'identity-token' : 'password',
      identity: `${isToken ? 'identity token' : shownUser(username)} of ${this.program}`,
    };
  }

  /** Docker's programs read names of fields in any case. */
  private fieldsOf(output: string): { readonly username: string; readonly secret: string } {
    const document = parseJson(output);
    if (!isObject(document)) throw new CredentialError(`${this.program} wrote something other than a JSON map`);
    const find = (name: string) => {
      const value = Object.entries(document).find(([key]) => key.toLowerCase() === name)?.[1] ?? '';
      if (typeof value !== 'string') throw new CredentialError(`${this.program} wrote a ${name} that is not text`);
      return value;
    };
    return { username: find('username'), secret: find('secret') };
  }

  private failure({ code, signal, output }: Ended, server: string): string {
    const how = code === null ? `was ended by ${signal ?? 'a signal'}` : `failed with exit code ${code}`;
    if (isAboutServer(output.trim())) return `${this.program} was asked for no server: set server`;
    return `${this.program} ${how}; its message, which may have a secret, is shown by: printf %s '${server}' | ${this.program} get`;
  }

  private async explain({ reason, code }: ProgramError): Promise<string> {
    if (reason === 'late') return `${this.program} did not respond within ${this.limit / 1000} s`;
    if (reason === 'too-long') return `${this.program} wrote more than ${maxOutput / 1024} KiB`;
    if (code === 'EACCES') return `${this.program} cannot be started: it is not executable for this user`;
    if (code !== 'ENOENT') return `${this.program} cannot be started: ${code ?? 'unknown error'}`;
    if (isAbsolute(this.program)) {
      const isThere = await access(this.program).then(
        () => true,
        () => false,
      );
      if (isThere) return `${this.program} cannot be started: the interpreter or the loader that it needs is missing`;
      return `${this.program} does not exist; ${installationOf(this.program)}`;
    }
    return `${this.program} is not in PATH, or the interpreter that it needs is missing; ${installationOf(this.name)}`;
  }
}

function parseJson(output: string): unknown {
  try {
    return JSON.parse(output);
  } catch {
    // The message quotes the output.
    return undefined;
  }
}
