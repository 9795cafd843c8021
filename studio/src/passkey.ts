/** The browser's side of passkeys: both steps of each ceremony in one call. */
import {
  startAuthentication,
  startRegistration,
  type PublicKeyCredentialCreationOptionsJSON,
  type PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/browser';
import { ApiError, call, get, renewToken } from './api.js';

/** Who is enrolled: by an invitation's or the operator's token; nothing for who is signed in. */
export interface Enrolment {
  token?: string;
  email?: string;
  name?: string;
}

/** @throws ApiError with words for the person */
export async function signInByPasskey(): Promise<void> {
  const optionsJSON = await call<PublicKeyCredentialRequestOptionsJSON>('POST', 'passkeys/sign-in/options', {});
  const response = await told(
    startAuthentication({ optionsJSON }),
    'No passkey was used. Try again when you are ready.',
  );
  await call('POST', 'passkeys/sign-in/verify', { response });
}

/**
 * For what takes a sign-in of the last minutes: the device is asked once more, then it goes on.
 * @throws ApiError with words for the person; `fresh-sign-in-required` if they have no passkey to do it with
 */
export async function freshly<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== 'fresh-sign-in-required') throw error;
    if ((await get<unknown[]>('passkeys')).length === 0) throw error;
  }
  await signInByPasskey();
  if (!(await renewToken())) throw new ApiError(0, 'passkey', 'That is somebody else’s passkey. Load this page again.');
  return work();
}

/** @throws ApiError with words for the person */
export async function makePasskey(enrolment: Enrolment, label: string): Promise<void> {
  const optionsJSON = await freshly(() =>
    call<PublicKeyCredentialCreationOptionsJSON>('POST', 'passkeys/register/options', enrolment),
  );
  const response = await told(startRegistration({ optionsJSON }), 'No passkey was made. Try again when you are ready.');
  await call('POST', 'passkeys/register/verify', { ...enrolment, label, response });
}

/** What to call a passkey made here, until somebody names it. */
export function deviceName(): string {
  const agent = navigator.userAgent;
  const system = /iPhone|iPad|Android|Mac|Windows|Linux/.exec(agent)?.[0] ?? 'this device';
  const browser = /Edg|Firefox|Chrome|Safari/.exec(agent)?.[0].replace('Edg', 'Edge') ?? 'Browser';
  return `${browser} on ${system}`;
}

async function told<T>(ceremony: Promise<T>, cancelled: string): Promise<T> {
  try {
    return await ceremony;
  } catch (error) {
    const { name, message } = error as Error;
    if (name === 'InvalidStateError')
      throw new ApiError(0, 'passkey', 'This device has a passkey for the studio already.');
    throw new ApiError(0, 'passkey', name === 'NotAllowedError' || name === 'AbortError' ? cancelled : message);
  }
}
