import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWebhookSecret } from '../../src/platform/webhook-signature.js';
import { deliveriesOf, freePort, Program, programSettings, until } from '../support/program.js';
import { startRelay, type Relay } from '../support/smtp.js';
import { Load, mailsByRecipient } from './load.js';

export interface SceneOptions {
  databaseUrl: (folder: string) => string;
  /** Where its data are, if not in a folder of its own. */
  folder?: string;
  settings?: Record<string, string>;
  programs?: number;
  eventsPerSecond?: number;
}

/** What must hold whatever happened: see `Scene.finish`. */
export const unharmed = { lost: [], doubled: [], different: [], states: ['sent'], surprises: [], ends: [0] };

/** The program, or several on one database, under a steady load, while something happens to what they need. */
export class Scene {
  readonly load: Load;
  private readonly stream: Promise<void>;
  private isStreaming = true;

  private constructor(
    readonly programs: Program[],
    private readonly urls: string[],
    private readonly databaseUrl: string,
    readonly relay: Relay,
    private readonly removed: string | null,
    secret: string,
    eventsPerSecond: number,
  ) {
    this.load = new Load(secret);
    let turn = 0;
    const running = () => this.urls.filter((_, i) => this.programs[i]!.isRunning);
    // As a load balancer does: those that run, in turn.
    const url = () => running()[turn++ % Math.max(1, running().length)] ?? this.urls[0]!;
    this.stream = this.load.stream(url, 0, 1000 / eventsPerSecond, () => this.isStreaming);
  }

  static async open({
    databaseUrl,
    settings,
    programs = 1,
    eventsPerSecond = 20,
    ...given
  }: SceneOptions): Promise<Scene> {
    const folder = given.folder ?? mkdtempSync(join(tmpdir(), 'postern-scene-'));
    const relay = await startRelay();
    const secret = generateWebhookSecret();
    const url = databaseUrl(folder);
    const shared = programSettings({ folder, port: 0, databaseUrl: url, mailUrl: relay.url, secret });
    const ports: number[] = [];
    while (ports.length < programs) ports.push(await freePort());
    const own = (port: number) => ({ PORT: String(port), PUBLIC_URL: `http://127.0.0.1:${port}` });
    const started = ports.map(
      (port) => new Program(folder, { ...shared, ...own(port), QUIET_WINDOW_SECONDS: '0', ...settings }),
    );
    await Promise.all(started.map((program) => program.start()));
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    return new Scene(started, urls, url, relay, given.folder ? null : folder, secret, eventsPerSecond);
  }

  get program(): Program {
    return this.programs[0]!;
  }

  /** All works: so many more events are acknowledged and mailed. */
  async works(events = 10): Promise<void> {
    const [acknowledged, mailed] = [this.load.acknowledged.length + events, this.relay.handedOver.length + events];
    await until(
      `${events} more events and mails`,
      () => this.load.acknowledged.length >= acknowledged && this.relay.handedOver.length >= mailed,
    );
  }

  /** So many more posts are answered "come again". */
  async refuses(posts = 3): Promise<void> {
    const refused = this.load.refused + posts;
    await until(`${posts} answers 503`, () => this.load.refused >= refused);
  }

  /** Ends the load, has the rest acknowledged and mailed, stops the programs, and compares. */
  async finish() {
    this.isStreaming = false;
    await this.stream;
    await until('every event acknowledged', async () => {
      await this.load.repeat(this.urls[0]!, 0);
      return this.load.unacknowledged.length === 0;
    });
    const unmailed = () => {
      const mailed = mailsByRecipient(this.relay.handedOver);
      return this.load.events.filter(({ recipient }) => !mailed.has(recipient));
    };
    // If it never comes, the ledger below says what is lost.
    await until('every mail', () => unmailed().length === 0, { seconds: 90, everyMs: 50 }).catch(() => undefined);
    const ends: (number | null)[] = [];
    for (const program of this.programs) ends.push(await program.end('SIGTERM'));
    const mails = [...mailsByRecipient(this.relay.handedOver)];
    const rows = await deliveriesOf(this.databaseUrl);
    return {
      lost: unmailed().map(({ id }) => id),
      doubled: mails.flatMap(([recipient, copies]) => (copies.length > 1 ? [recipient] : [])),
      different: mails.flatMap(([recipient, copies]) =>
        new Set(copies.map(({ raw }) => raw)).size > 1 ? [recipient] : [],
      ),
      states: [...new Set(rows.map(({ state }) => state))],
      surprises: this.load.surprises,
      ends: [...new Set(ends)],
    };
  }

  async close(): Promise<void> {
    this.isStreaming = false;
    for (const program of this.programs) await program.end('SIGKILL');
    await this.stream;
    await this.relay.close();
    if (this.removed !== null) rmSync(this.removed, { recursive: true, force: true });
  }
}
