/**
 * STUDIO_OIDC_ISSUER and what belongs to it.
 * What is wrong is added to `problems`, and the reading goes on: the caller ends the start with all of it.
 */
import { bareHost, parseUrl } from '../platform/url.js';

/** An OpenID provider and what it knows us by. */
export interface OidcSettings {
  /** As its discovery document names it; https, or plain http to a host of ALLOW_PRIVATE_HOSTS. */
  issuer: string;
  clientId: string;
  clientSecret: string;
}

type OidcValues = Partial<Record<'STUDIO_OIDC_ISSUER' | 'STUDIO_OIDC_CLIENT_ID' | 'STUDIO_OIDC_CLIENT_SECRET', string>>;

export function readOidc(values: OidcValues, allowPrivateHosts: string[], problems: string[]): OidcSettings | null {
  const { STUDIO_OIDC_ISSUER: issuer, STUDIO_OIDC_CLIENT_ID: clientId, STUDIO_OIDC_CLIENT_SECRET: secret } = values;
  if (issuer === undefined && clientId === undefined && secret === undefined) return null;
  if (issuer === undefined || clientId === undefined || secret === undefined) {
    problems.push(
      'STUDIO_OIDC_ISSUER, STUDIO_OIDC_CLIENT_ID and STUDIO_OIDC_CLIENT_SECRET are set together or not at all',
    );
    return null;
  }
  const url = parseUrl(issuer);
  const isPrivate = allowPrivateHosts.includes(bareHost(url?.hostname ?? ''));
  if (!url || !(url.protocol === 'https:' || (url.protocol === 'http:' && isPrivate)) || url.search + url.hash !== '')
    problems.push('STUDIO_OIDC_ISSUER must be an https URL without query, for example https://login.example');
  return { issuer, clientId, clientSecret: secret };
}
