import { Global, Module, type DynamicModule, type Provider } from '@nestjs/common';
import { AccessService } from './access.service.js';

/** Who clients are and what they may do. */
@Global()
@Module({})
export class AccessModule {
  /** @param keyStore provides `KeyStore` */
  static register(keyStore: Provider): DynamicModule {
    return { module: AccessModule, providers: [AccessService, keyStore], exports: [AccessService] };
  }
}
