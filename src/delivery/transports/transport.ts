/** One finished mail: its bytes, and the envelope that carries it (RFC 5321 2.3.1). */
export interface Mail {
  deliveryId: string;
  from: string;
  to: string;
  bytes: Buffer;
}

/**
 * What a transport can honestly say. `uncertain`: the mail was handed over and the answer was lost, so it may or may not
 * have arrived. `detail` is the other side's own words.
 */
export interface TransportOutcome {
  outcome: 'accepted' | 'deferred' | 'rejected' | 'uncertain';
  detail: string;
}

/** Hands mails over and reports. It touches no row, and never throws for what the other side does. */
export interface Transport {
  readonly name: string;
  send(mail: Mail): Promise<TransportOutcome>;
  close(): void;
}
