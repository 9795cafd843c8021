/** One mail: the envelope that carries it (RFC 5321 2.3.1), and what is in it, in the form that a transport takes. */
export interface Mail {
  deliveryId: string;
  from: string;
  to: string;
  /** Finished MIME (RFC 5322), lines ended by CRLF, 7-bit, the same on each try. */
  mime(): Buffer;
  /** The same mail for a provider that makes the MIME itself. */
  content(): MailContent;
}

export interface MailContent {
  from: { name: string; address: string };
  to: string;
  subject: string;
  html: string;
  text: string;
  /** All that goes beside the former, by their names. */
  headers: Record<string, string>;
}

/** What a transport can honestly say; `detail` is the other side's own words. */
export type TransportOutcome =
  | { outcome: 'accepted'; detail: string; providerId?: string }
  /** Refused for good, and about this mail: its recipient, sender or content. */
  | { outcome: 'rejected'; detail: string }
  /**
   * Certainly not taken, and may be later. `scope` says what the trouble is about: this mail and its recipient's server,
   * or the transport as a whole (not reachable, login refused, 421, 429), which another transport may do without.
   */
  | { outcome: 'deferred'; detail: string; scope: 'mail' | 'transport'; retryAfterSeconds?: number }
  /** Handed over and the answer was lost: it may or may not have arrived. */
  | { outcome: 'uncertain'; detail: string };

/** Hands mails over and reports. It touches no row, and never throws for what the other side does. */
export interface Transport {
  /** Unique among the transports of a process, and the same after a restart. */
  readonly name: string;
  /** How long the other side knows a mail by its delivery id and drops a repeat, ms; 0 if it does not. */
  readonly remembersMs: number;
  send(mail: Mail): Promise<TransportOutcome>;
  close(): void;
}
