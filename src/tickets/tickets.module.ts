import { Module } from '@nestjs/common';
import { FileStore } from './file-store.js';

/** The projection itself is functions over a transaction: `applyEvent`, `findConversation`, `acceptReply`. */
@Module({ providers: [FileStore], exports: [FileStore] })
export class TicketsModule {}
