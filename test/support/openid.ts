import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { Provider } from 'oidc-provider';
import { freePort } from './program.js';

export interface OpenIdAccount {
  sub: string;
  email: string;
  emailVerified?: boolean;
  name?: string;
}

/** A real OpenID provider, in which `account` signs in without being asked. */
export interface OpenIdProvider {
  issuer: string;
  settings: Record<string, string>;
  account: OpenIdAccount;
  /** Paths that it was asked for, in order. */
  asked: string[];
  /** Follows an authorization address as a browser does, and returns where it is sent back to. */
  authorise(address: string): Promise<string>;
  close(): Promise<void>;
}

const CLIENT_ID = 'postern';

export async function startOpenIdProvider(redirectUri: string): Promise<OpenIdProvider> {
  const issuer = `http://127.0.0.1:${await freePort()}`;
  const secret = randomBytes(24).toString('base64url');
  const accounts = new Map<string, OpenIdAccount>();
  const provider: Provider = new Provider(issuer, {
    clients: [{ client_id: CLIENT_ID, client_secret: secret, redirect_uris: [redirectUri], response_types: ['code'] }],
    cookies: { keys: [randomBytes(16).toString('hex')] },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: () => '/interaction' },
    findAccount: (_context: unknown, sub: string) => ({
      accountId: sub,
      claims: () => {
        const { email, emailVerified, name } = accounts.get(sub)!;
        return { sub, email, email_verified: emailVerified ?? true, name };
      },
    }),
    loadExistingGrant: async ({ oidc }: { oidc: { session: { accountId: string } } }) => {
      const grant = new provider.Grant({ accountId: oidc.session.accountId, clientId: CLIENT_ID });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  });
  const handle = provider.callback();
  const server = createServer((request, response) => {
    made.asked.push(request.url!.split('?', 1)[0]!);
    if (request.url !== '/interaction') return handle(request, response);
    accounts.set(made.account.sub, made.account);
    void provider.interactionFinished(request, response, { login: { accountId: made.account.sub } });
  });
  server.listen(Number(new URL(issuer).port), '127.0.0.1');
  await once(server, 'listening');
  const made: OpenIdProvider = {
    issuer,
    settings: {
      STUDIO_OIDC_ISSUER: issuer,
      STUDIO_OIDC_CLIENT_ID: CLIENT_ID,
      STUDIO_OIDC_CLIENT_SECRET: secret,
    },
    account: { sub: 'nobody', email: 'nobody@example.com' },
    asked: [],
    authorise: (address) => follow(address, redirectUri),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return made;
}

async function follow(address: string, until: string): Promise<string> {
  const cookies = new Map<string, string>();
  for (let hop = 0; hop < 10 && !address.startsWith(until); hop++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(address, { redirect: 'manual', headers: { cookie } });
    for (const one of response.headers.getSetCookie()) {
      const [name = '', value = ''] = one.split(';', 1)[0]!.split('=', 2);
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    if (location === null) throw new Error(`the provider answered ${response.status}: ${await response.text()}`);
    address = new URL(location, address).href;
  }
  return address;
}
