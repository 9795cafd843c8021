import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateWebhookSecret, signWebhook } from '../../src/platform/webhook-signature.js';
import type { AdapterName } from '../../src/sources.js';
import { createGateway, type TestGateway, type TestGatewayOptions } from './gateway.js';
import { Guest } from './guest.js';
import { askForCode, invite } from './visit.js';

/** A source as `sources.yaml` has it; the name is `default` unless told, the secret the test's own. */
export interface GivenSource {
  name?: string;
  secrets?: string[];
  ticketPage?: string;
  adapter?: AdapterName;
  handoff?: 'token' | 'jwt';
  handoffSecret?: string;
  outbound?: { url: string; secret: string };
}

/** A gateway whose sources have these pages of their own. `source` of the gateway is the first. */
export async function createHandingGateway(
  sources: GivenSource[],
  options: TestGatewayOptions = {},
): Promise<TestGateway & { sourcesFile: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-sources-'));
  const secret = generateWebhookSecret();
  const all = sources.map((source) => ({ name: 'default', secrets: [secret], ...source }));
  const file = join(folder, 'sources.yaml');
  writeFileSync(file, JSON.stringify({ sources: all })); // JSON is YAML
  const settings = { SOURCES_FILE: file, SOURCE_SECRET: secret, ...options.settings };
  const test = await createGateway({ ...options, settings });
  const close = test.close;
  test.close = async () => {
    await close();
    rmSync(folder, { recursive: true, force: true });
  };
  return Object.assign(test, { sourcesFile: file });
}

/** The whole way of a guest up to the redirect after the right code. */
export async function handOver(
  test: TestGateway,
  given: { email?: string; ticket?: object; guest?: Guest } = {},
): Promise<{ guest: Guest; link: string; address: URL; headers: Headers; token: string }> {
  const { email = 'siti@example.com', guest = new Guest(test.url), ticket } = given;
  const link = await invite(test, { email, ...(ticket ? { ticket } : {}) });
  const { page, code } = await askForCode(test, guest, link, email);
  const verified = await guest.submit(page, '/verify', { code }, { follow: false });
  if (verified.status !== 303) throw new Error(`not let in: ${verified.status} ${verified.text}`);
  const address = new URL(verified.headers.get('location')!, test.url);
  return { guest, link, address, headers: verified.headers, token: address.searchParams.get('handoff') ?? '' };
}

let messages = 0;

/** Redeems as the server of the page does, signed like an event. */
export function redeem(
  test: Pick<TestGateway, 'url' | 'clock' | 'source'>,
  token: unknown,
  given: {
    source?: string;
    secret?: string;
    ageSeconds?: number;
    body?: string;
    headers?: Record<string, string>;
  } = {},
): Promise<Response> {
  const { source = 'default', secret = test.source.secret, ageSeconds = 0, headers = {} } = given;
  const body = given.body ?? JSON.stringify({ token });
  const timestamp = Math.floor(test.clock.now() / 1000) - ageSeconds;
  return fetch(`${test.url}/v1/sources/${source}/handoffs/redeem`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...signWebhook({ secret, id: `msg_redeem-${++messages}`, timestamp, body }),
      ...headers,
    },
    body,
  });
}
