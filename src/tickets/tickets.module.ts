import { Module } from '@nestjs/common';
import { FileStore } from './file-store.js';
import { FileSweep } from './file-sweep.js';
import { Previews } from './previews.js';
import { Scanner } from './scanner.js';

/** The projection itself is made over a transaction: `Projection`, `findConversation`, `acceptReply`. */
@Module({ providers: [FileStore, Scanner, Previews, FileSweep], exports: [FileStore, Scanner, Previews] })
export class TicketsModule {}
