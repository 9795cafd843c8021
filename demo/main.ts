import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { conversations } from './conversations.js';
import { GatewayProcess } from './gateway-process.js';
import { startInbox, type Inbox } from './inbox.js';
import { freePort } from './local-web.js';
import { paint, print, printError, printTable, seconds, step } from './terminal.js';
import { startTicketSystem, type TicketSystem } from './ticket-system.js';

const HOST = '127.0.0.1';
const GATEWAY_PORT = 3000;
const FIRST_MAIL_WITHIN_SECONDS = 20;
/** Short enough to watch: who presses three buttons in a row sees the first mail at once and then a summary. */
const QUIET_WINDOW_SECONDS = 5;
/** The source whose guests go to Sample Desk's own page after the code. */
const OWN_PAGE = 'own-page';

/** All that runs, in the order of its start; undone from the end. */
const running: { gateway?: GatewayProcess; end: (() => Promise<unknown>)[] } = { end: [] };
let ending = false;

async function main(): Promise<void> {
  const startedAt = Date.now();
  print(`\n  ${paint('bold', 'Postern')} ${paint('dim', 'starting the demo')}\n`);
  const folder = await mkdtemp(join(tmpdir(), 'postern-demo-'));
  running.end.push(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

  const inbox = await step('Inbox', () => startInbox({ host: HOST }));
  running.end.push(() => inbox.close());
  const secrets = { secret: newSecret(), outboundSecret: newSecret() };
  const desk = await step('Sample Desk', () => startTicketSystem({ host: HOST, ownPageSource: OWN_PAGE, ...secrets }));
  running.end.push(() => desk.close());
  const gatewayUrl = await step('Gateway', () => startGateway(folder, inbox, desk, secrets));
  await step('First ticket and mail', () => sendFirstTicket(inbox, desk));

  printSummary(startedAt, { inbox, desk, gatewayUrl });
  const end = await running.gateway?.ended();
  if (!ending) throw new Error(`The gateway ${end}.`);
}

function newSecret(): string {
  return `whsec_${randomBytes(32).toString('base64')}`;
}

/** Resolves with the gateway's public URL when it is ready. */
async function startGateway(
  folder: string,
  inbox: Inbox,
  desk: TicketSystem,
  { secret, outboundSecret }: { secret: string; outboundSecret: string },
): Promise<string> {
  const port = await freePort(GATEWAY_PORT, HOST);
  const publicUrl = `http://localhost:${port}`;
  const url = `http://${HOST}:${port}`;
  desk.gatewayUrl = url;
  const sourcesFile = join(folder, 'sources.yaml');
  const source = { secrets: [secret], outbound: { url: desk.outboundUrl, secret: outboundSecret } };
  const sources = [
    { name: 'default', ...source },
    { name: OWN_PAGE, ticketPage: desk.ticketPage, ...source },
  ];
  await writeFile(sourcesFile, JSON.stringify({ sources })); // JSON is YAML
  const logLevel = process.env.LOG_LEVEL || 'warn';
  const gateway = new GatewayProcess({
    url,
    folder,
    onLine: (line) => printGatewayLine(line),
    settings: {
      HOST,
      PORT: String(port),
      PUBLIC_URL: publicUrl,
      DATA_DIR: join(folder, 'data'),
      MAIL_URL: inbox.smtpUrl,
      MAIL_FROM: 'Sample Desk <no-reply@sample-desk.example>',
      SOURCES_FILE: sourcesFile,
      ALLOW_PRIVATE_HOSTS: '127.0.0.1,localhost',
      QUIET_WINDOW_SECONDS: String(QUIET_WINDOW_SECONDS),
      LOG_LEVEL: logLevel,
    },
  });
  running.gateway = gateway;
  running.end.push(() => gateway.stop());
  await gateway.start();
  ready = true;
  return publicUrl;
}

let ready = false;
/** Lets the first person into the studio, once; the gateway prints it when it starts. */
let studioLink: string | undefined;

/** While it starts, its lines are kept for the case that it fails; after that its warnings belong on the screen. */
function printGatewayLine(line: string): void {
  studioLink ??= /https?:\S+\/studio\/first#\S+/.exec(line)?.[0];
  if (ready && !ending) print(`  ${paint('dim', 'gateway │')} ${line}`);
}

/** Siti writes, and Rina asks her for the transaction: what waits in the inbox when a person first looks. */
async function sendFirstTicket(inbox: Inbox, desk: TicketSystem): Promise<void> {
  const { ticket, answer } = await desk.createTicket({ language: 'id' });
  if (!answer.ok) throw new Error(`The gateway refused the first event (${answer.status}): ${answer.summary}`);
  await desk.requestInfo(ticket.id);
  await inbox.nextMailTo(conversations.id.requester.email, { timeoutSeconds: FIRST_MAIL_WITHIN_SECONDS });
}

function printSummary(
  startedAt: number,
  { inbox, desk, gatewayUrl }: { inbox: Inbox; desk: TicketSystem; gatewayUrl: string },
): void {
  print(`\n  ${paint(['green', 'bold'], 'Ready')} ${paint('dim', `in ${seconds(startedAt)}`)}\n`);
  printTable([
    ['Inbox', inbox.url, 'every mail the gateway sends'],
    ['Sample Desk', desk.url, 'the ticket system: be the agent here'],
    ['Gateway', gatewayUrl, 'the guest’s pages; they open from the mails'],
    ['Studio', `${gatewayUrl}/studio`, 'where the words of mails and pages are edited'],
    ['SMTP', inbox.smtpUrl, 'where the gateway hands its mails over'],
  ]);
  const steps = [
    `Open the inbox, ${paint('cyan', inbox.url)}: a mail in Indonesian is waiting for Siti`,
    'Press the button in the mail, then the one on the page: it sends a code',
    'Take the code from the inbox and type it in: there is the ticket',
    `Write a reply: it arrives in Sample Desk, ${paint('cyan', desk.url)}`,
    `Tick “Opens on our own page” there for a new ticket: the code leads to Sample Desk’s own page`,
    `Be the agent there and press three buttons: what follows within ${QUIET_WINDOW_SECONDS} seconds of a mail comes as one`,
  ];
  if (studioLink !== undefined)
    print(
      `\n  ${paint('bold', 'Studio, first sign-in')}   ${paint('dim', 'once, with a passkey of this machine')}\n  ${paint('cyan', studioLink)}`,
    );
  print();
  steps.forEach((text, index) => print(`  ${paint('bold', String(index + 1))}  ${text}`));
  print(`\n  ${paint('dim', 'Ctrl-C ends everything. Nothing is kept.')}\n`);
}

/** Ends what runs, the last started first, and then this process. */
async function end(code: number): Promise<never> {
  ending = true;
  for (const each of running.end.toReversed()) await each();
  process.exit(code);
}

async function fail(error: unknown): Promise<void> {
  if (ending) return; // What was under way when it was ended.
  for (const line of running.gateway?.lastLines(15) ?? []) printError(`  ${paint('dim', 'gateway │')} ${line}`);
  const reason = error instanceof Error ? error.message : String(error);
  printError(`\n  ${paint('red', 'The demo could not go on.')} ${reason}\n`);
  await end(1);
}

let firstSignalAt = 0;

/** A second Ctrl-C does not wait for the gateway; one pressed once may come twice, from the terminal and from npm. */
function onSignal(): void {
  if (firstSignalAt && Date.now() - firstSignalAt > 1000) return void running.gateway?.stop({ impatient: true });
  if (ending) return;
  firstSignalAt = Date.now();
  print(`\n  ${paint('dim', 'Ending …')}`);
  void end(0);
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
if (process.env.npm_lifecycle_event) {
  // npm starts this through a shell that passes no SIGTERM on: when that shell is gone, so is whoever wanted the demo.
  const shell = process.ppid;
  setInterval(() => process.ppid !== shell && !ending && onSignal(), 500).unref();
}
main().catch(fail);
