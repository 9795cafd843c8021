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
import { RepliesController } from './replies.controller.js';
import { ReplyForms } from './reply-form.js';
import { ReplyKeeper } from './reply-keeper.js';
import { Rooms } from './rooms.js';
import { TicketPage } from './ticket-page.js';
import { TicketStreams } from './ticket-streams.js';
import { TicketFilesController } from './ticket-files.controller.js';
import { TicketController } from './ticket.controller.js';
import { Uploads } from './uploads.js';
import { Visitors } from './visitor.js';
import { WaysOutController } from './ways-out.controller.js';

@Module({
  imports: [AccessModule, TicketsModule, OutboundModule, DeliveryModule, TemplatesModule],
  controllers: [
    LinkController,
    WaysOutController,
    TicketController,
    RepliesController,
    TicketFilesController,
    FilesController,
    CheckController,
    LanguageController,
    PublicController,
    HandoffController,
  ],
  providers: [
    Doors,
    Rooms,
    Visitors,
    PageWriter,
    PageErrorFilter,
    ReplyForms,
    ReplyKeeper,
    TicketPage,
    Uploads,
    AttachmentSender,
    TicketStreams,
  ],
  exports: [PageWriter],
})
export class PortalModule {}
