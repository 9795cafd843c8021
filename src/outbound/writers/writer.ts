import type { Id } from '../../ids.js';
import { ApiFailure, type TicketApi } from '../ticket-api.js';

/** A guest's reply on its way into the ticket system. */
export interface OutgoingReply {
  id: Id<'rpl'>;
  /** The source's own id of the ticket. */
  ticketId: string;
  email: string;
  body: string;
  files: OutgoingFile[];
}

export interface OutgoingFile {
  name: string;
  contentType: string;
  /** Null if it is gone. */
  read(): Promise<Buffer | null>;
  /** Where it can be fetched for some days, signed: for a file that the system does not take. */
  url: string;
}

/** What became of it; whatever went wrong is an `ApiFailure`. */
export interface Written {
  /** It was there already: an earlier try had arrived. */
  wasThere: boolean;
  /** Files that the system did not take; the text says where they are. */
  left: number;
}

/** One ticket system's way to take what a guest says. Each looks for the reply first, so that a repeat adds nothing. */
export interface ReplyWriter {
  /** @throws ApiFailure */
  write(api: TicketApi, reply: OutgoingReply): Promise<Written>;
  /**
   * "It is not solved": opens the ticket again if it still counts as solved. Left out where the API has no state for it.
   * @throws ApiFailure
   */
  reopen?(api: TicketApi, ticketId: string): Promise<void>;
}

export const wasThere: Written = { wasThere: true, left: 0 };

/** The text with a line for each file that is not beside it, so that nothing the guest sent is lost. */
export function withLinks(body: string, left: readonly OutgoingFile[]): string {
  return [body, ...left.map(({ name, url }) => `${name}: ${url}`)].filter(Boolean).join('\n\n');
}

/** Where the system cannot write in the guest's name, the text says whose it is. */
export function inNameOf({ email }: OutgoingReply, body: string): string {
  return `${email}:\n\n${body}`;
}

/** What `upload` gave for each file, and the files that were refused by themselves. */
export async function uploadEach<T>(
  files: readonly OutgoingFile[],
  upload: (file: OutgoingFile, content: Buffer) => Promise<T>,
): Promise<{ taken: T[]; left: OutgoingFile[] }> {
  const taken: T[] = [];
  const left: OutgoingFile[] = [];
  // One after the other: no more than one of them is in memory.
  for (const file of files) {
    const content = await file.read();
    const isHere = content !== null && (await isTaken(upload(file, content).then((given) => void taken.push(given))));
    if (!isHere) left.push(file);
  }
  return { taken, left };
}

/** Whether the call was taken; false for what would be refused again, the rest is thrown on. */
export async function isTaken(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (error instanceof ApiFailure && error.kind === 'refused') return false;
    throw error;
  }
}
