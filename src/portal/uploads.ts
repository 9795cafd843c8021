import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { fileLimit, takeLimits } from '../access/limits.js';
import type { OpenSession } from '../access/session.js';
import { Config } from '../config.js';
import { PosternError } from '../errors.js';
import { Clock } from '../platform/clock.js';
import { Database, isDatabaseUnavailable } from '../platform/database/database.js';
import { Logger } from '../platform/logger.js';
import { SlotsByKey } from '../platform/slots.js';
import { FULL_DISK_SECONDS, type FormFault, type Gate } from './reply-form.js';
import { Visitors } from './visitor.js';

/** Forms with files that one session has read at once. The rest waits, unread: who sends one form fifty times sends it once. */
const UPLOADS_AT_ONCE = 2;
const MOST_UPLOADS_WAITING = 60;
/** After which one who has too much under way may come again. */
export const BUSY_SECONDS = 60;

/** How much one session may upload at once, and one participant in an hour. */
@Injectable()
export class Uploads {
  private readonly places = new SlotsByKey(UPLOADS_AT_ONCE, MOST_UPLOADS_WAITING);

  constructor(
    private readonly config: Config,
    private readonly clock: Clock,
    private readonly database: Database,
    private readonly visitors: Visitors,
    private readonly logger: Logger,
  ) {}

  /** Reads a form when its turn comes; null, and nothing is read, if more of this session wait than anybody sends. */
  take<T>(request: FastifyRequest, session: OpenSession, read: (gate: Gate) => Promise<T>): Promise<T | null> {
    return this.places.run(session.id, () => whileThere(request, () => read(this.gate(request, session))));
  }

  private gate(request: FastifyRequest, session: OpenSession): Gate {
    return {
      checkToken: (token) => this.visitors.checkFormToken(request, session, token),
      countFile: async () => {
        const limit = fileLimit(this.config.secretKeys, session.participantId);
        try {
          const taken = await this.database.write((tx) => takeLimits(tx, [limit], this.clock.now()));
          return taken.ok ? null : { field: 'files', key: 'wait', retryAfterSeconds: taken.retryAfterSeconds };
        } catch (error) {
          if (!isDatabaseUnavailable(error)) throw error;
          // The text of the form is still to be read, and given back.
          this.logger.error('a file could not be counted: the database is not available', { error });
          return { field: 'files', key: 'no-room', retryAfterSeconds: FULL_DISK_SECONDS };
        }
      },
    };
  }
}

/**
 * Until its sender is gone: the parser never ends on a connection that ended before it began to read, and the place of the
 * session would be taken for ever.
 */
async function whileThere<T>({ raw }: FastifyRequest, read: () => Promise<T>): Promise<T> {
  const brokenOff = () => new PosternError('bad-request', 'The form broke off.');
  if (raw.destroyed && !raw.complete) throw brokenOff();
  const gone = new Promise<never>((_resolve, reject) => {
    raw.once('close', () => raw.complete || reject(brokenOff()));
  });
  return Promise.race([read(), gone]);
}

/** The status of an answer to what is not taken, with the time after which it may be. */
export function refusal(reply: FastifyReply, faults: readonly FormFault[]): 422 | 429 | 503 {
  const wait = Math.max(0, ...faults.map(({ retryAfterSeconds = 0 }) => retryAfterSeconds));
  if (wait === 0) return 422;
  void reply.header('retry-after', String(wait));
  return faults.some(({ key }) => key === 'no-room') ? 503 : 429;
}
