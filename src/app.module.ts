import { Module, type DynamicModule } from '@nestjs/common';
import { AccessModule } from './access/access.module.js';
import { DeliveryModule } from './delivery/delivery.module.js';
import { IntakeDoorsModule } from './intake/intake-doors.module.js';
import { IntakeModule } from './intake/intake.module.js';
import { NotificationsModule } from './notifications/notifications.module.js';
import { OperationsModule } from './operations/operations.module.js';
import { OutboundModule } from './outbound/outbound.module.js';
import { PlatformModule, type Platform } from './platform/platform.module.js';
import { PortalModule } from './portal/portal.module.js';
import { StudioModule } from './studio/studio.module.js';
import { TemplatesModule } from './templates/templates.module.js';
import { TicketsModule } from './tickets/tickets.module.js';

/** The whole house, in the order of the data path. */
@Module({})
export class AppModule {
  static on(platform: Platform): DynamicModule {
    const { roles, studio } = platform.config;
    const { web } = roles;
    return {
      module: AppModule,
      imports: [
        PlatformModule.with(platform),
        ...(web ? [IntakeDoorsModule] : []), // a webhook comes in
        IntakeModule, // it is recorded, and what it lacks is asked for
        TicketsModule, // what the guest may see
        NotificationsModule, // who is told what
        TemplatesModule, // in which words
        DeliveryModule, // by mail
        AccessModule, // who may come in
        ...(web ? [PortalModule] : []), // pages: landing, code, ticket, reply
        ...(web && studio.on ? [StudioModule] : []), // where the words are edited
        OutboundModule, // back to the source
        OperationsModule, // a worker alone serves nothing but its health
      ],
    };
  }
}
