import { Module } from '@nestjs/common';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { AdminEventsController } from './admin-events.controller.js';
import { EventsController } from './events.controller.js';
import { FeedbackController } from './feedback/feedback.controller.js';
import { IntakeModule } from './intake.module.js';

/** Where events and feedback come in, and where an operator looks at them. */
@Module({
  imports: [IntakeModule, DeliveryModule],
  controllers: [EventsController, FeedbackController, AdminEventsController],
})
export class IntakeDoorsModule {}
