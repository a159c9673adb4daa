import { IsOptional } from 'class-validator';
import { GoesWith, IsFlag, IsSecret, IsServerAddress, IsText } from './validation/rules.js';
import { toSecret, type Secret } from './values/secret.js';
import { parseBoolean, Setting } from './validation/setting.decorator.js';

/** Options of the commands that push to a running server or pull from it. */
export class RegistryClientSettings {
  @Setting({
    name: 'server',
    env: 'REGISTRY_URL',
    value: 'url',
    default: 'http://127.0.0.1:8080',
    description: 'address at which clients reach the server: an http or https URL, or unix:/path',
  })
  @IsServerAddress()
  server = 'http://127.0.0.1:8080';

  @Setting({
    name: 'username',
    env: 'REGISTRY_USERNAME',
    value: 'name',
    description: "user at the server; without it, the credentials of docker login for the server's address",
  })
  @IsOptional()
  @IsText('a user name', 256)
  @GoesWith('secret', '--password')
  username?: string;

  @Setting({
    name: 'password',
    env: 'REGISTRY_PASSWORD',
    value: 'secret',
    secret: true,
    description: 'password of the user at the server; better given as the variable',
  })
  @IsOptional()
  @IsSecret('a password', 65_536)
  @GoesWith('username', '--username')
  get password(): Secret | undefined {
    return this.secret;
  }
  set password(value: Secret | string | undefined) {
    this.secret = toSecret(value);
  }

  private secret?: Secret | undefined;

  @Setting({ name: 'json', parse: parseBoolean, description: 'print the results as JSON' })
  @IsFlag()
  json = false;
}
