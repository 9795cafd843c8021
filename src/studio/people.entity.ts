import { Entity, Index } from 'typeorm';
import type { Id } from '../ids.js';
import {
  FlagColumn,
  IdColumn,
  JsonColumn,
  OptionalTextColumn,
  OptionalTimeColumn,
  TextColumn,
  TimeColumn,
} from '../platform/database/columns.js';
import type { RoleOfBrand } from './roles.js';

/** Somebody who may come into the studio. Unique: emailKey, oidcSubject. */
@Entity('studio_people')
@Index('studio_people_email_key_key', ['emailKey'], { unique: true })
@Index('studio_people_oidc_subject_key', ['oidcSubject'], { unique: true })
export class Person {
  @IdColumn() id: Id<'usr'>;
  /** Empty once they are removed. */
  @TextColumn() email: string;
  /** The address as it is compared; the id once they are removed, so that the address is free. */
  @TextColumn() emailKey: string;
  /** Stays when they are removed: it stands in the history of what they wrote. */
  @TextColumn() name: string;
  @JsonColumn() roles: RoleOfBrand[];
  /** Issuer and subject at the OpenID provider, from the first sign-in on. */
  @OptionalTextColumn() oidcSubject: string | null;
  @TimeColumn() createdAt: number;
  @OptionalTimeColumn() blockedAt: number | null;
  @OptionalTimeColumn() removedAt: number | null;
}

/** Lets one person in for the first time: by an admin's mail, or as `first` by the operator's link. Unique: tokenHash, openKey. */
@Entity('studio_invitations')
@Index('studio_invitations_token_hash_key', ['tokenHash'], { unique: true })
@Index('studio_invitations_open_key_key', ['openKey'], { unique: true })
export class Invitation {
  @IdColumn() id: Id<'inv'>;
  @TextColumn() tokenHash: string;
  /** The address's key, or `first`, while it is neither used nor withdrawn: one at a time. */
  @OptionalTextColumn() openKey: string | null;
  /** Null for `first`: whoever holds it says who they are. */
  @OptionalTextColumn() email: string | null;
  @TextColumn() name: string;
  @JsonColumn() roles: RoleOfBrand[];
  @TextColumn() invitedBy: string;
  @TimeColumn() createdAt: number;
  @TimeColumn() expiresAt: number;
  @OptionalTimeColumn() usedAt: number | null;
}

/** A public key that a person's device answers for (WebAuthn). Unique: credentialId. */
@Entity('studio_passkeys')
@Index('studio_passkeys_credential_id_key', ['credentialId'], { unique: true })
@Index('studio_passkeys_person_id_idx', ['personId'])
export class Passkey {
  @IdColumn() id: Id<'pky'>;
  @TextColumn() personId: Id<'usr'>;
  @TextColumn() credentialId: string;
  /** COSE, base64url. */
  @TextColumn() publicKey: string;
  /** Signatures that its device counted; 0 for ever where the device does not count. */
  @TimeColumn() counter: number;
  @JsonColumn() transports: string[];
  @TextColumn() name: string;
  /** It is kept at a provider, and so is on other devices of the person. */
  @FlagColumn() backedUp: boolean;
  @TimeColumn() createdAt: number;
  @OptionalTimeColumn() lastUsedAt: number | null;
}

/** What a browser must sign, or bring back from the OpenID provider, once. Unique: challengeHash. */
@Entity('studio_challenges')
@Index('studio_challenges_challenge_hash_key', ['challengeHash'], { unique: true })
@Index('studio_challenges_expires_at_idx', ['expiresAt'])
export class StudioChallenge {
  @IdColumn() id: Id<'chl'>;
  @TextColumn() challengeHash: string;
  @TextColumn() kind: 'register' | 'sign-in' | 'oidc';
  /** Of the cookie of the browser that asked for it. */
  @TextColumn() browserHash: string;
  /** Whose passkey it will be. */
  @OptionalTextColumn() personId: Id<'usr'> | null;
  @OptionalTextColumn() invitationId: Id<'inv'> | null;
  @TimeColumn() expiresAt: number;
  @OptionalTimeColumn() usedAt: number | null;
}

/** What a signed-in browser holds. Unique: tokenHash. */
@Entity('studio_sessions')
@Index('studio_sessions_token_hash_key', ['tokenHash'], { unique: true })
@Index('studio_sessions_person_id_idx', ['personId'])
export class StudioSession {
  @IdColumn() id: Id<'ses'>;
  @TextColumn() tokenHash: string;
  @TextColumn() personId: Id<'usr'>;
  /** By which it was opened; null: by the OpenID provider. */
  @OptionalTextColumn() passkeyId: Id<'pky'> | null;
  /** `Firefox on Windows`: by which the person knows it again. */
  @TextColumn() browser: string;
  @TimeColumn() createdAt: number;
  @TimeColumn() lastUsedAt: number;
  @TimeColumn() expiresAt: number;
  @OptionalTimeColumn() endedAt: number | null;
}
