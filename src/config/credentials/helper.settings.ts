import { isAbsolute } from 'node:path';
import { IsOptional } from 'class-validator';
import { isText, IsText, rule } from '../validation/rules.js';
import { Setting } from '../validation/setting.decorator.js';
import { isHelperName } from './docker/helper.name.js';

const IsHelper = () =>
  rule(
    'isHelper',
    'must be what follows docker-credential- in the name of a program in PATH, such as ecr-login, or the absolute path of a program',
    (value) => typeof value === 'string' && (isHelperName(value) || (isAbsolute(value) && isText(value, 4096))),
  );

/** `helper`: a program that speaks the protocol of Docker's credential helpers. */
export class HelperSettings {
  @Setting({
    name: 'name',
    description:
      'what follows `docker-credential-` in the name of a program in PATH, such as `ecr-login`, or the absolute path of a program',
  })
  @IsHelper()
  name!: string;

  @Setting({
    name: 'server',
    description:
      'the server to ask the program for; by default the host, and `https://index.docker.io/v1/` for Docker Hub, as Docker does',
  })
  @IsOptional()
  @IsText('text without control characters')
  server?: string;
}
