import { IsOptional } from 'class-validator';
import { IsFlag, IsSecret, IsServerAddress } from './validation/rules.js';
import { toSecret, type Secret } from './values/secret.js';
import { parseBoolean, Setting } from './validation/setting.decorator.js';

/** Options of the commands that talk to a running mirror. */
export class ClientSettings {
  @Setting({
    name: 'server',
    env: 'ADMIN_URL',
    value: 'url',
    default: 'http://127.0.0.1:8081',
    description: 'where the mirror answers /_admin: an http or https URL, or unix:/path',
  })
  @IsServerAddress()
  server = 'http://127.0.0.1:8081';

  @Setting({
    name: 'token',
    env: 'ADMIN_TOKEN',
    value: 'secret',
    secret: true,
    description: "the mirror's admin token, for its main address",
  })
  @IsOptional()
  @IsSecret('a token', 256)
  get token(): Secret | undefined {
    return this.secret;
  }
  set token(value: Secret | string | undefined) {
    this.secret = toSecret(value);
  }

  private secret?: Secret | undefined;

  @Setting({ name: 'json', parse: parseBoolean, description: 'print what the mirror says as JSON, for programs' })
  @IsFlag()
  json = false;
}
