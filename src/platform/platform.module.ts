import { Global, Module, type DynamicModule } from '@nestjs/common';
import { Config } from '../config.js';
import { Clock } from './clock.js';
import { Database } from './database/database.js';
import { HttpClient } from './http-client.js';
import { Logger } from './logger.js';
import { Queue } from './queue/queue.js';

/** What was opened before the application and is closed after it. */
export interface Platform {
  config: Config;
  clock: Clock;
  logger: Logger;
  database: Database;
  queue: Queue;
  http: HttpClient;
}

/** Technology that every room may ask for by its class. */
@Global()
@Module({})
export class PlatformModule {
  static with({ config, clock, logger, database, queue, http }: Platform): DynamicModule {
    const providers = [
      { provide: Config, useValue: config },
      { provide: Clock, useValue: clock },
      { provide: Logger, useValue: logger },
      { provide: Database, useValue: database },
      { provide: Queue, useValue: queue },
      { provide: HttpClient, useValue: http },
    ];
    return { module: PlatformModule, providers, exports: providers.map(({ provide }) => provide) };
  }
}
