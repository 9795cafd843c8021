import { Module } from '@nestjs/common';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { NotificationsModule } from '../notifications/notifications.module.js';
import { TicketsModule } from '../tickets/tickets.module.js';
import { Admission } from './admission.js';
import { DryRun } from './dry-run.js';
import { Enricher } from './enricher.js';
import { EventLedger } from './event-ledger.js';
import { Intake } from './intake.js';
import { SourceApis } from './source-api.js';

/** Events from their bytes to a plan. Its doors are a module of their own: a worker has none, and still asks the sources. */
@Module({
  imports: [TicketsModule, NotificationsModule, DeliveryModule],
  providers: [Intake, Admission, Enricher, SourceApis, DryRun, EventLedger],
  exports: [Intake, DryRun, EventLedger],
})
export class IntakeModule {}
