import type { Browser, CDPSession, Page } from 'playwright-core';
import { describeInBrowser, desktop, launchBrowser, openBrowser } from '../support/browser.js';
import { createGateway, type TestGateway } from '../support/gateway.js';
import { ada, firstToken } from '../support/studio.js';
import { change, count } from '../support/tables.js';

interface Said {
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any
  body: any;
}

describeInBrowser('passkeys of a real browser', () => {
  let test: TestGateway;
  let browser: Browser;
  let origin: string;
  beforeAll(async () => {
    browser = await launchBrowser();
    test = await createGateway();
    // A browser keeps passkeys for names, not for addresses.
    origin = test.url.replace('127.0.0.1', 'localhost');
    await test.restart({ PUBLIC_URL: origin });
  });
  afterAll(async () => {
    await browser.close();
    await test.close();
  });

  /** A browser with a device that knows its person by a finger, on an empty page of the studio. */
  const open = async (): Promise<{ page: Page; device: Device; faults: string[] }> => {
    const { context, page, faults } = await openBrowser(browser, origin, desktop);
    await context.route(`${origin}/studio/sign-in`, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Sign in</title>' }),
    );
    await page.goto(`${origin}/studio/sign-in`);
    const cdp = await context.newCDPSession(page);
    return { page, device: await Device.plugIn(cdp), faults };
  };

  const ask = (page: Page, method: string, path: string, body?: object, token = ''): Promise<Said> =>
    page.evaluate(
      async ([method, path, body, token]) => {
        const response = await fetch(`/studio/api/${path}`, {
          method,
          headers: { ...(body ? { 'content-type': 'application/json' } : {}), 'x-studio-token': token },
          ...(body ? { body } : {}),
        });
        const text = await response.text();
        return { status: response.status, body: text ? (JSON.parse(text) as unknown) : null };
      },
      [method, path, body && JSON.stringify(body), token] as const,
    );

  /** As the studio's own pages do it. */
  const register = async (page: Page, who: object, token = ''): Promise<Said> => {
    const options = await ask(page, 'POST', 'passkeys/register/options', who, token);
    const response = await page.evaluate(async (json) => {
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(json);
      return ((await navigator.credentials.create({ publicKey })) as PublicKeyCredential).toJSON() as object;
    }, options.body);
    return ask(page, 'POST', 'passkeys/register/verify', { ...who, response }, token);
  };
  const signIn = async (page: Page): Promise<Said> => {
    const options = await ask(page, 'POST', 'passkeys/sign-in/options', {});
    const response = await page.evaluate(async (json) => {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(json);
      return ((await navigator.credentials.get({ publicKey })) as PublicKeyCredential).toJSON() as object;
    }, options.body);
    return ask(page, 'POST', 'passkeys/sign-in/verify', { response });
  };

  it('make the first admin, sign in without a name typed, and sign out', async () => {
    const { page, device, faults } = await open();
    expect((await register(page, { token: await firstToken(test), ...ada })).status).toBe(200);
    const [key] = await device.credentials();
    expect(key).toMatchObject({ isResidentCredential: true, rpId: 'localhost' });
    const me = await ask(page, 'GET', 'me');
    expect(me.body).toMatchObject(ada);
    expect((await ask(page, 'POST', 'sign-out', {}, me.body.token)).status).toBe(204);
    const signedOut = faults.length;
    expect((await ask(page, 'GET', 'me')).status).toBe(401);
    expect(await signIn(page)).toEqual({ status: 200, body: { id: me.body.id } });
    expect((await ask(page, 'GET', 'me')).body.id).toBe(me.body.id);
    // No script of a page sees the session.
    expect(await page.evaluate(() => document.cookie)).toBe('');
    expect(faults.slice(0, signedOut)).toEqual([]);
    await page.context().close();
  });

  it('are not made twice on one device, and not used by whom the device does not know', async () => {
    const { page, device } = await open();
    await register(page, { token: await firstToken(test), email: 'ben@support.example', name: 'Ben' });
    const { token } = (await ask(page, 'GET', 'me')).body;
    await expect(register(page, {}, token)).rejects.toThrow(/InvalidStateError/);
    await device.forgetFinger();
    await expect(signIn(page)).rejects.toThrow(/NotAllowedError/);
    await page.context().close();
  });

  it('that were copied are refused when the copy is used: its count is behind', async () => {
    const { page, device } = await open();
    await register(page, { token: await firstToken(test), email: 'cora@support.example', name: 'Cora' });
    const copied = await device.credentials();
    expect((await signIn(page)).status).toBe(200);
    expect((await signIn(page)).status).toBe(200);
    await device.replaceBy(copied);
    expect((await signIn(page)).body.code).toBe('sign-in-refused');
    await page.context().close();
  });

  it('are not given to a page of another origin', async () => {
    const { page } = await open();
    await register(page, { token: await firstToken(test), email: 'dan@support.example', name: 'Dan' });
    const { body } = await ask(page, 'POST', 'passkeys/sign-in/options', {});
    await change(test, 'DELETE FROM limits');
    const evil = test.url; // the same server under another name
    await page
      .context()
      .route(`${evil}/studio/sign-in`, (route) =>
        route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>Sign in</title>' }),
      );
    await page.goto(`${evil}/studio/sign-in`);
    const asked = page.evaluate(async (json) => {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(json);
      await navigator.credentials.get({ publicKey });
    }, body);
    await expect(asked).rejects.toThrow(/SecurityError/);
    expect(await count(test, 'studio_people')).toBeGreaterThan(0);
    await page.context().close();
  });
});

interface Credential {
  credentialId: string;
  isResidentCredential: boolean;
  rpId?: string;
  privateKey: string;
  userHandle?: string;
  signCount: number;
}

/** Chromium's own virtual authenticator. */
class Device {
  private constructor(
    private readonly cdp: CDPSession,
    private readonly authenticatorId: string,
  ) {}

  static async plugIn(cdp: CDPSession): Promise<Device> {
    await cdp.send('WebAuthn.enable');
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    return new Device(cdp, authenticatorId);
  }

  async credentials(): Promise<Credential[]> {
    const { authenticatorId } = this;
    return (await this.cdp.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
  }

  async replaceBy(credentials: Credential[]): Promise<void> {
    const { authenticatorId } = this;
    await this.cdp.send('WebAuthn.clearCredentials', { authenticatorId });
    for (const credential of credentials)
      await this.cdp.send('WebAuthn.addCredential', { authenticatorId, credential });
  }

  async forgetFinger(): Promise<void> {
    const { authenticatorId } = this;
    await this.cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: false });
  }
}
