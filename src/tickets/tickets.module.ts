import { Module } from '@nestjs/common';
import { FileStore } from './file-store.js';

/** The projection itself is made over a transaction: `Projection`, `findConversation`, `acceptReply`. */
@Module({ providers: [FileStore], exports: [FileStore] })
export class TicketsModule {}
