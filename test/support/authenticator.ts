import { createHash, createSign, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';

/** What a device may get wrong, or an attacker may want it to. */
export interface AuthenticatorFaults {
  origin?: string;
  rpId?: string;
  /** Without looking at who holds it. */
  unverified?: boolean;
  counter?: number;
  challenge?: string;
  userHandle?: string;
  type?: string;
  /** Signs with a key that is not the one it showed. */
  foreignKey?: boolean;
}

interface CreationOptions {
  challenge: string;
  rp: { id: string };
  user: { id: string };
}

/** A device with one passkey (WebAuthn level 3, ES256, attestation `none`), as exact or as wrong as a test wants it. */
export class Authenticator {
  readonly credentialId = randomBytes(16);
  private readonly key: KeyObject;
  private readonly publicKey: KeyObject;
  private userHandle = '';
  counter = 0;

  constructor(private readonly origin: string) {
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.key = pair.privateKey;
    this.publicKey = pair.publicKey;
  }

  /** Makes its passkey: what `navigator.credentials.create` gives, as JSON. */
  create({ challenge, rp, user }: CreationOptions, faults: AuthenticatorFaults = {}): object {
    this.userHandle = user.id;
    const authData = Buffer.concat([
      this.head(faults.rpId ?? rp.id, 0x40, faults),
      Buffer.alloc(16),
      uint16(this.credentialId.length),
      this.credentialId,
      this.coseKey(),
    ]);
    const attestation = Buffer.concat([
      Buffer.from([0xa3]),
      cborText('fmt'),
      cborText('none'),
      cborText('attStmt'),
      Buffer.from([0xa0]),
      cborText('authData'),
      cborBytes(authData),
    ]);
    return this.answer({
      clientDataJSON: this.clientData('webauthn.create', challenge, faults).toString('base64url'),
      attestationObject: attestation.toString('base64url'),
      transports: ['internal'],
    });
  }

  /** Signs: what `navigator.credentials.get` gives, as JSON. */
  get({ challenge, rpId }: { challenge: string; rpId: string }, faults: AuthenticatorFaults = {}): object {
    const authData = this.head(faults.rpId ?? rpId, 0, faults);
    const clientData = this.clientData('webauthn.get', challenge, faults);
    const key = faults.foreignKey ? generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey : this.key;
    const signature = createSign('sha256')
      .update(Buffer.concat([authData, sha256(clientData)]))
      .sign(key);
    return this.answer({
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: authData.toString('base64url'),
      signature: signature.toString('base64url'),
      userHandle: faults.userHandle ?? this.userHandle,
    });
  }

  private answer(response: object): object {
    const id = this.credentialId.toString('base64url');
    return { id, rawId: id, type: 'public-key', clientExtensionResults: {}, response };
  }

  private clientData(type: string, challenge: string, faults: AuthenticatorFaults): Buffer {
    return Buffer.from(
      JSON.stringify({
        type: faults.type ?? type,
        challenge: faults.challenge ?? challenge,
        origin: faults.origin ?? this.origin,
        crossOrigin: false,
      }),
    );
  }

  private head(rpId: string, more: number, { unverified, counter }: AuthenticatorFaults): Buffer {
    const flags = 0x01 | (unverified ? 0 : 0x04) | more;
    const count = Buffer.alloc(4);
    count.writeUInt32BE(counter ?? ++this.counter);
    return Buffer.concat([sha256(Buffer.from(rpId)), Buffer.from([flags]), count]);
  }

  /** RFC 9053: {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y} */
  private coseKey(): Buffer {
    const { x, y } = this.publicKey.export({ format: 'jwk' });
    return Buffer.concat([
      Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21]),
      cborBytes(Buffer.from(x!, 'base64url')),
      Buffer.from([0x22]),
      cborBytes(Buffer.from(y!, 'base64url')),
    ]);
  }
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function uint16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

function cborText(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x60 | text.length]), Buffer.from(text)]);
}

function cborBytes(bytes: Buffer): Buffer {
  const length = bytes.length < 256 ? Buffer.from([0x58, bytes.length]) : Buffer.from([0x59, ...uint16(bytes.length)]);
  return Buffer.concat([length, bytes]);
}
