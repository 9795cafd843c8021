import { Injectable } from '@nestjs/common';
import { addressKey } from '../platform/address.js';
import { Clock } from '../platform/clock.js';
import type { Transaction } from '../platform/database/database.js';
import { TemplateCatalogue } from '../templates/catalogue.js';
import { whatStands } from '../tickets/standing.js';
import { askBreakers, domainKey, transportKey, type Gate } from './breaker.js';
import type { Delivery, Update } from './delivery.entity.js';
import { ended, type Judged, type Verdict } from './delivery-rows.js';
import { Pauses } from './pauses.js';
import { Suppressions } from './suppression.js';
import { tellOnly } from './telling.js';
import type { Transport } from './transports/transport.js';

/** Asks, for a batch at once, whether its mails are still wanted, may be sent to their addresses, and have a way. */
@Injectable()
export class Guard {
  constructor(
    private readonly suppressions: Suppressions,
    private readonly catalogue: TemplateCatalogue,
    private readonly pauses: Pauses,
    private readonly clock: Clock,
  ) {}

  async judge(tx: Transaction, transports: readonly Transport[], deliveries: Delivery[]): Promise<Judged> {
    const standing = await whatStands(tx, deliveries.map(tellingOf));
    const suppressed = await this.suppressions.among(
      tx,
      deliveries.map(({ recipient }) => addressKey(recipient)),
    );
    const keys = [
      ...transports.map(({ name }) => transportKey(name)),
      ...deliveries.map(({ recipient }) => domainKey(recipient)),
    ];
    const paused = await this.pauses.waiting(tx, deliveries);
    const gate = await askBreakers(tx, keys, this.clock.now());
    const judged: Judged = { admitted: [], verdicts: [], shrunk: [] };
    deliveries.forEach((delivery, i) => {
      const news = standing[i];
      if (news == null) judged.verdicts.push(ended(delivery, 'cancelled'));
      else if (suppressed.has(addressKey(delivery.recipient))) judged.verdicts.push(ended(delivery, 'suppressed'));
      else if (paused.has(delivery.id)) judged.verdicts.push(later(delivery, this.pauses.lookAgainAt()));
      else this.admit(judged, gate, transports, this.shrink(judged, delivery, news));
    });
    return judged;
  }

  /** A summary tells of what still stands. Only until it was first tried: after that every try has the same bytes. */
  private shrink({ shrunk }: Judged, delivery: Delivery, news: Update[]): Delivery {
    if (delivery.transport !== null || delivery.revisionFixedAt !== null) return delivery;
    const told = tellOnly(delivery, news, this.catalogue);
    if (told !== delivery) shrunk.push(told);
    return told;
  }

  private admit(judged: Judged, gate: Gate, transports: readonly Transport[], delivery: Delivery): void {
    const now = this.clock.now();
    const ways = waysOf(delivery, transports);
    // A provider that has forgotten the mail would send it twice: somebody has to look whether it arrived.
    const isForgotten = ({ remembersMs }: Transport) =>
      delivery.uncertainAt !== null && remembersMs > 0 && now - delivery.uncertainAt >= remembersMs;
    if (ways.length === 0 || ways.some(isForgotten)) {
      const detail =
        ways.length === 0 ? 'the transport that lost the answer is gone' : 'the answer was lost too long ago';
      judged.verdicts.push(
        ended(delivery, 'parked', [{ transport: 'none', outcome: 'uncertain', detail, startedAt: now }]),
      );
      return;
    }
    const wait = gate.enter(domainKey(delivery.recipient)) ?? waitForAny(ways, gate);
    if (wait === null)
      judged.admitted.push({ delivery, transports: ways.filter(({ name }) => gate.isPassable(transportKey(name))) });
    else judged.verdicts.push(later(delivery, wait));
  }
}

function tellingOf({ ticketId, participantId, inputs }: Delivery) {
  return { holder: { ticketId, participantId, generation: inputs.generation }, news: inputs.updates };
}

/** After a lost answer only the same transport may try: another one would double what has arrived. */
function waysOf({ uncertainAt, transport }: Delivery, transports: readonly Transport[]): readonly Transport[] {
  return uncertainAt === null ? transports : transports.filter(({ name }) => name === transport);
}

/** Null if one of them may be tried now, else when the first one may. */
function waitForAny(transports: readonly Transport[], gate: Gate): number | null {
  const waits = transports.map(({ name }) => gate.enter(transportKey(name)));
  return waits.includes(null) ? null : Math.min(...waits.map(Number));
}

function later(delivery: Delivery, nextAttemptAt: number): Verdict {
  return { delivery, state: stateBefore(delivery), tried: [], signs: [], nextAttemptAt };
}

/** As it was before it was claimed. */
function stateBefore({ transport, uncertainAt }: Delivery): 'queued' | 'deferred' | 'uncertain' {
  return uncertainAt !== null ? 'uncertain' : transport !== null ? 'deferred' : 'queued';
}
