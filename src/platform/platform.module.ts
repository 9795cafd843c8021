import { Global, Module, type DynamicModule } from '@nestjs/common';
import { Config } from '../config.js';
import { Clock } from './clock.js';
import { Database } from './database/database.js';
import { DiskSpace } from './disk-space.js';
import { HttpClient } from './http-client.js';
import { Logger } from './logger.js';
import { Metrics } from './metrics.js';
import { QueueModule } from './queue/queue.module.js';

/** What was opened before the application and is closed after it. */
export interface Platform {
  config: Config;
  clock: Clock;
  logger: Logger;
  database: Database;
  http: HttpClient;
  metrics: Metrics;
  /** How often due work is looked for; 0: never by itself, for tests that own the clock. */
  sweepEveryMs?: number;
}

/** Technology that every room may ask for by its class. */
@Global()
@Module({})
export class PlatformModule {
  static with({ config, clock, logger, database, http, metrics, sweepEveryMs }: Platform): DynamicModule {
    const providers = [
      { provide: Config, useValue: config },
      { provide: Clock, useValue: clock },
      { provide: Logger, useValue: logger },
      { provide: Database, useValue: database },
      { provide: HttpClient, useValue: http },
      { provide: Metrics, useValue: metrics },
    ];
    return {
      module: PlatformModule,
      imports: [QueueModule.with({ config, logger, sweepEveryMs })],
      providers: [...providers, DiskSpace],
      exports: [DiskSpace, ...providers.map(({ provide }) => provide), QueueModule],
    };
  }
}
