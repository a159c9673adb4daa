import { freePort, ServerProcess } from './child.js';
import { Bucket } from './s3-server.js';

/** A second S3 server, of another make: in memory, and it checks neither signatures nor checksums. */
export class Moto implements AsyncDisposable {
  private constructor(
    readonly url: string,
    private readonly server: ServerProcess,
  ) {}

  static async start(): Promise<Moto> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const env = { PATH: process.env.PATH ?? '' };
    const args = ['--host', '127.0.0.1', '--port', String(port)];
    return new Moto(url, await ServerProcess.start('/opt/moto/bin/moto_server', args, env, `${url}/moto-api/`));
  }

  makeBucket(): Promise<Bucket> {
    return Bucket.make(this.url);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server[Symbol.asyncDispose]();
  }
}
