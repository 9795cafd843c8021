import { Module } from '@nestjs/common';
import { Drafts } from './drafts.js';
import { FileStore } from './file-store.js';

/** The projection itself is made over a transaction: `Projection`, `findConversation`, `acceptReply`. */
@Module({ providers: [FileStore, Drafts], exports: [FileStore, Drafts] })
export class TicketsModule {}
