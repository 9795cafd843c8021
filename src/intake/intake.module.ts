import { Module } from '@nestjs/common';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { NotificationsModule } from '../notifications/notifications.module.js';
import { TicketsModule } from '../tickets/tickets.module.js';
import { Admission } from './admission.js';
import { EventsController } from './events.controller.js';
import { FeedbackController } from './feedback/feedback.controller.js';
import { DryRun } from './dry-run.js';
import { Enricher } from './enricher.js';
import { Intake } from './intake.js';
import { SourceApis } from './source-api.js';

@Module({
  imports: [TicketsModule, NotificationsModule, DeliveryModule],
  controllers: [EventsController, FeedbackController],
  providers: [Intake, Admission, Enricher, SourceApis, DryRun],
})
export class IntakeModule {}
