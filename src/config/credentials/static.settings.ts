import { IsOptional } from 'class-validator';
import { IsSecret, IsText } from '../validation/rules.js';
import { Setting } from '../validation/setting.decorator.js';
import { toSecret, type Secret } from '../values/secret.js';

/** `static`: a user and a password, from the upstream file or from a file of their own. */
export class StaticSettings {
  @Setting({ name: 'username', description: 'user to sign in with' })
  @IsText('text without control characters')
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
}
