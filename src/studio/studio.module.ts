import { Module } from '@nestjs/common';
import { DeliveryModule } from '../delivery/delivery.module.js';
import { PortalModule } from '../portal/portal.module.js';
import { TemplatesModule } from '../templates/templates.module.js';
import { Previews } from './previews.js';
import { StudioGuard } from './studio.guard.js';
import { WordsBoard } from './words-board.js';
import { WordsController } from './words.controller.js';
import { WordsDesk } from './words-desk.js';
import { WordsExchange } from './words-exchange.js';

@Module({
  imports: [TemplatesModule, DeliveryModule, PortalModule],
  controllers: [WordsController],
  providers: [StudioGuard, WordsDesk, WordsBoard, Previews, WordsExchange],
})
export class StudioModule {}
