import { Module } from '@nestjs/common';
import { Drafts } from './drafts.js';
import { FileStore } from './file-store.js';
import { FileSweep } from './file-sweep.js';
import { Previews } from './previews.js';
import { Scanner } from './scanner.js';

/** The projection itself is made over a transaction: `Projection`, `findConversation`, `acceptReply`. */
const providers = [FileStore, Scanner, Previews, Drafts];

@Module({ providers: [...providers, FileSweep], exports: providers })
export class TicketsModule {}
