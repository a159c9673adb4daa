import { IsOptional } from 'class-validator';
import { HasNoColon, IsSecret, IsText } from '../validation/rules.js';
import { Setting } from '../validation/setting.decorator.js';
import type { CheckedOptions } from './checked-options.js';
import { ConfigurationError } from '../configuration-error.js';
import { readPasswordFile } from '../files/password-file.js';
import { toSecret, type Secret } from '../values/secret.js';

/** `static`: a user and a password, from the upstream file or from a file of their own. */
export class StaticSettings implements CheckedOptions {
  @Setting({ name: 'username', description: 'user to sign in with' })
  @IsText('text without control characters')
  @HasNoColon()
  username!: string;

  @Setting({ name: 'password', secret: true, description: 'password or access token of the user' })
  @IsOptional()
  @IsSecret()
  get password(): Secret | undefined {
    return this.secret;
  }
  set password(value: Secret | string | undefined) {
    this.secret = toSecret(value);
  }

  @Setting({
    name: 'password_file',
    description: 'file that contains the password, such as a mounted secret; read again when it changes',
  })
  @IsOptional()
  @IsText('the path of a file', 4096)
  passwordFile?: string;

  private secret?: Secret | undefined;

  mistakes(): ReturnType<CheckedOptions['mistakes']> {
    const { passwordFile, password } = this;
    if (passwordFile === undefined) {
      if (password !== undefined) return [];
      return [{ name: 'password', kind: 'missing', reason: 'or password_file must be set' }];
    }
    const name = 'password_file';
    if (password !== undefined) return [{ name, kind: 'text', reason: 'cannot be combined with password' }];
    try {
      // In use until the source has read the file itself, which may be damaged by then.
      this.password = readPasswordFile(passwordFile, name);
      return [];
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      return error.problems.map(({ kind, reason }) => ({ name, kind, reason }));
    }
  }
}
