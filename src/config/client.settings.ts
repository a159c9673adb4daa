import { IsOptional } from 'class-validator';
import { IsFlag, IsSecret, IsServerAddress } from './validation/rules.js';
import { toSecret, type Secret } from './values/secret.js';
import { parseBoolean, Setting } from './validation/setting.decorator.js';

/** Options of the commands that control a running server. */
export class ClientSettings {
  @Setting({
    name: 'server',
    env: 'ADMIN_URL',
    value: 'url',
    default: 'http://127.0.0.1:8081',
    description: 'address of the admin API of the server: an http or https URL, or unix:/path',
  })
  @IsServerAddress()
  server = 'http://127.0.0.1:8081';

  @Setting({
    name: 'token',
    env: 'ADMIN_TOKEN',
    value: 'secret',
    secret: true,
    description: 'admin token of the server, required at its main address',
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

  @Setting({ name: 'json', parse: parseBoolean, description: 'print the results as JSON' })
  @IsFlag()
  json = false;
}
