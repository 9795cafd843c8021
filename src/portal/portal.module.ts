import { Module } from '@nestjs/common';
import { AccessModule } from '../access/access.module.js';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { OutboundModule } from '../outbound/outbound.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { TicketsModule } from '../tickets/tickets.module.js';
import { AttachmentSender } from './attachment-sender.js';
import { Doors } from './doors.js';
import { CheckController } from './check.controller.js';
import { FilesController } from './files.controller.js';
import { HandoffController } from './handoff.controller.js';
import { LanguageController } from './language.controller.js';
import { LinkController } from './link.controller.js';
import { PageErrorFilter } from './page-error.filter.js';
import { PageWriter } from './page-writer.js';
import { PublicController } from './public.controller.js';
import { ReplyForms } from './reply-form.js';
import { TicketStreams } from './ticket-streams.js';
import { TicketController } from './ticket.controller.js';
import { Visitors } from './visitor.js';
import { WaysOutController } from './ways-out.controller.js';

@Module({
  imports: [TemplatesModule, AccessModule, TicketsModule, OutboundModule, DeliveryModule],
  controllers: [
    LinkController,
    WaysOutController,
    TicketController,
    FilesController,
    CheckController,
    LanguageController,
    PublicController,
    HandoffController,
  ],
  providers: [Doors, Visitors, PageWriter, PageErrorFilter, ReplyForms, AttachmentSender, TicketStreams],
})
export class PortalModule {}
