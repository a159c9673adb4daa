import { Controller, Get, Head, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { commonHeaders, type HttpResponse } from './responses/http.response.js';
import { send } from './responses/send.js';

const version: HttpResponse = {
  status: 200,
  headers: { ...commonHeaders, 'content-type': 'application/json', 'content-length': 2 },
  body: '{}',
};
const alive: HttpResponse = {
  status: 200,
  headers: { ...commonHeaders, 'content-type': 'text/plain', 'content-length': 3 },
  body: 'ok\n',
};

/** The version check that clients begin with (end-1), and `/` for probes. */
@Controller()
export class BaseController {
  @Get('v2')
  version(@Res() reply: FastifyReply): Promise<void> {
    return send(reply, version);
  }

  @Head('v2')
  versionHead(@Res() reply: FastifyReply): Promise<void> {
    return send(reply, version);
  }

  @Get('/')
  alive(@Res() reply: FastifyReply): Promise<void> {
    return send(reply, alive);
  }

  @Head('/')
  aliveHead(@Res() reply: FastifyReply): Promise<void> {
    return send(reply, alive);
  }
}
