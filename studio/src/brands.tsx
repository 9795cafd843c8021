import { useState } from 'react';
import { Across } from './across.js';
import { call, get, type ApiError, type Me } from './api.js';
import {
  contrast,
  NEEDED_CONTRAST,
  nearestReadable,
  READABLE_PAIRS,
  unreadable,
  type Palette,
} from '../../src/templates/palette.js';
import { styleNonce } from './nonce.js';
import { useGuard } from './router.js';
import { useSession } from './session.js';
import { Button, Empty, Failure, Field, Notice, Time, useAction, useLoad, useTitle, Waiting } from './ui.js';

export interface Brand {
  key: string;
  version: number;
  name: string;
  sender?: string;
  contact?: string;
  footer?: string | Record<string, string>;
  radius: number;
  light: Palette;
  dark: Palette;
  logo: { width: number; height: number; url: string } | null;
  sources?: string[];
  senderDomains?: string[];
  history?: { version: number; at: string; by: { id: string; name: string } }[];
}

/** What somebody changed and did not save yet. */
type Changes = Omit<Partial<Brand>, 'light' | 'dark'> & Partial<Record<'light' | 'dark', Partial<Palette>>>;

const parts: Record<keyof Palette, string> = {
  ground: 'Behind everything',
  surface: 'Cards and fields',
  soft: 'Quiet fill',
  text: 'Text',
  quiet: 'Quiet text',
  line: 'Lines',
  accent: 'Accent',
  onAccent: 'On the accent',
  danger: 'Errors',
};

export default function BrandsPage() {
  useTitle('Brands');
  const [loaded, reload] = useLoad((signal) => get<Brand[]>('brands', signal), []);
  const { me } = useSession();
  const [chosen, setChosen] = useState<string | null>(null);
  // Here, so that a logo or a look at another brand takes nothing away.
  const [changes, setChanges] = useState<Record<string, Changes>>({});
  const isChanged = Object.values(changes).some((one) => Object.keys(one).length > 0);
  useGuard(isChanged ? 'What you changed in the brands is not saved. Leave all the same?' : null);
  if (loaded.state !== 'here')
    return (
      <div className="page">
        <h1>Brands</h1>
        <Waiting what="The brands" loaded={loaded} again={reload} />
      </div>
    );
  const brand = loaded.value.find(({ key }) => key === (chosen ?? ownBrand(me))) ?? loaded.value[0];
  if (!brand)
    return (
      <div className="page">
        <Empty isPage title="There is no brand">
          <p>Brands are folders in templates/brands.</p>
        </Empty>
      </div>
    );
  return (
    <div className="page">
      <header className="page__head">
        <h1>Brands</h1>
        <div className="choice" role="group" aria-label="Brand">
          {loaded.value.map(({ key, name }) => (
            <button key={key} type="button" aria-pressed={key === brand.key} onClick={() => setChosen(key)}>
              {name}
              {Object.keys(changes[key] ?? {}).length > 0 && ' · changed'}
            </button>
          ))}
        </div>
      </header>
      <BrandEditor
        key={brand.key}
        brand={brand}
        changes={changes[brand.key] ?? {}}
        onChange={(next) => setChanges((last) => ({ ...last, [brand.key]: next }))}
        reload={reload}
      />
      <Across brands={loaded.value} />
    </div>
  );
}

/** What somebody comes for who has a role for one brand. */
function ownBrand({ roles }: Me): string | undefined {
  return roles.some(({ brand }) => brand === '*') ? undefined : roles[0]?.brand;
}

interface BrandEditorProps {
  brand: Brand;
  changes: Changes;
  onChange: (changes: Changes) => void;
  reload: () => void;
}

function BrandEditor({ brand, changes, onChange, reload }: BrandEditorProps) {
  const { me, say } = useSession();
  const edited: Brand = {
    ...brand,
    ...changes,
    light: { ...brand.light, ...changes.light },
    dark: { ...brand.dark, ...changes.dark },
  };
  const [scheme, setScheme] = useState<'light' | 'dark'>('light');
  const { busy, error, run } = useAction();
  const mayEdit = me.roles.some(({ brand: of, role }) => role !== 'editor' && (of === '*' || of === brand.key));
  const isChanged = JSON.stringify(edited) !== JSON.stringify(brand);
  const set = (change: Changes) => onChange({ ...changes, ...change });
  const problem = problemsOf(error);
  const save = () =>
    run(async () => {
      const { name, sender, contact, footer, radius, light, dark } = edited;
      const given = { version: brand.version, name, sender, contact, footer, radius, light, dark };
      // What is empty is left out: there is none then.
      const settings = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
      await call('PUT', `brands/${brand.key}`, settings);
    }).then((isDone) => {
      // Somebody else may have saved meanwhile: theirs are loaded, and these stay over them.
      reload();
      if (!isDone) return;
      onChange({});
      say('Saved: mails look like it in a few seconds');
    });
  const told = error?.code === 'brand-conflict' || (error?.code === 'brand-refused' && problem.size > 0);
  const back = () => {
    onChange({});
    reload();
  };
  return (
    <div className="columns columns--even">
      <form
        className="card"
        aria-label={brand.name}
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        {!mayEdit && <Notice kind="info" title="You may look at this brand, and a publisher may change it." />}
        <fieldset disabled={!mayEdit} className="bare">
          <legend className="unseen">Settings</legend>
          <Field label="Name" error={problem.get('name')}>
            {(ids) => (
              <input
                {...ids}
                required
                maxLength={60}
                value={edited.name}
                onChange={(event) => set({ name: event.target.value })}
              />
            )}
          </Field>
          <Field
            label="Sender"
            hint={
              brand.senderDomains?.length ? `Name <address>, at ${brand.senderDomains.join(' or ')}` : 'Name <address>'
            }
            error={problem.get('sender')}
          >
            {(ids) => (
              <input
                {...ids}
                dir="ltr"
                value={edited.sender ?? ''}
                onChange={(event) => set({ sender: event.target.value })}
              />
            )}
          </Field>
          <Field
            label="Contact"
            hint="Where a closed ticket sends people: mailto: or https:"
            error={problem.get('contact')}
          >
            {(ids) => (
              <input
                {...ids}
                dir="ltr"
                value={edited.contact ?? ''}
                onChange={(event) => set({ contact: event.target.value })}
              />
            )}
          </Field>
          {typeof edited.footer === 'object' &&
            Object.entries(edited.footer).map(([tag, line]) => (
              <Field key={tag} label={`Last line of each mail, ${tag}`} error={problem.get('footer')}>
                {(ids) => (
                  <input
                    {...ids}
                    lang={tag}
                    dir="auto"
                    required
                    maxLength={300}
                    value={line}
                    onChange={(event) =>
                      set({ footer: { ...(edited.footer as Record<string, string>), [tag]: event.target.value } })
                    }
                  />
                )}
              </Field>
            ))}
          {typeof edited.footer !== 'object' && (
            <Field label="Last line of each mail" error={problem.get('footer')}>
              {(ids) => (
                <input
                  {...ids}
                  maxLength={300}
                  value={(edited.footer as string | undefined) ?? ''}
                  onChange={(event) => set({ footer: event.target.value })}
                />
              )}
            </Field>
          )}
          <Field label="Corners, in pixels" error={problem.get('radius')}>
            {(ids) => (
              <input
                {...ids}
                type="number"
                min={0}
                max={24}
                value={edited.radius}
                onChange={(event) => set({ radius: Number(event.target.value) })}
              />
            )}
          </Field>
          <div className="choice" role="group" aria-label="Colours">
            {(['light', 'dark'] as const).map((one) => (
              <button key={one} type="button" aria-pressed={one === scheme} onClick={() => setScheme(one)}>
                {one === 'light' ? 'Light colours' : 'Dark colours'}
                {poorIn(edited[one]) > 0 && ` · ${poorIn(edited[one])} to mend`}
              </button>
            ))}
          </div>
          <Colours
            palette={edited[scheme]}
            scheme={scheme}
            onChange={(part, colour) => set({ [scheme]: { ...changes[scheme], [part]: colour } })}
          />
          <Failure error={told ? null : error} />
          {error?.code === 'brand-conflict' && (
            <Notice kind="warning" title="Not saved: somebody else saved this brand meanwhile.">
              {' '}
              What they changed is here now, and what you changed still stands over it. Look, then save again.
            </Notice>
          )}
          {error?.code === 'brand-refused' && <Notice kind="error" title="Not saved: mend what is marked." />}
          <p className="dialog__actions">
            <Button disabled={!isChanged} onClick={() => onChange({})}>
              As it was
            </Button>
            <Button type="submit" kind="primary" busy={busy} disabled={!isChanged}>
              Save
            </Button>
          </p>
        </fieldset>
      </form>
      <div>
        <Look brand={edited} />
        <Logo brand={brand} mayEdit={mayEdit} reload={reload} />
        {brand.history && brand.history.length > 0 && (
          <section className="card" aria-label="Versions">
            <h2>Versions</h2>
            <ul className="rows">
              {brand.history.map(({ version, at, by }, index) => (
                <li key={version}>
                  <span>
                    Version {version}{' '}
                    <span className="hint">
                      {by.name} · <Time at={at} />
                    </span>
                  </span>
                  {mayEdit && index > 0 && <Back brand={brand} to={version} onDone={back} />}
                </li>
              ))}
              <li>
                <span>As shipped</span>
                {mayEdit && <Back brand={brand} to={0} onDone={back} />}
              </li>
            </ul>
          </section>
        )}
      </div>
    </div>
  );
}

function Back({ brand, to, onDone }: { brand: Brand; to: number; onDone: () => void }) {
  const { busy, error, run } = useAction();
  return (
    <span>
      <Button
        kind="quiet"
        busy={busy}
        aria-label={to === 0 ? 'Back to what was shipped' : `Back to version ${to}`}
        onClick={() =>
          void run(() => call('POST', `brands/${brand.key}/rollback`, { version: brand.version, to })).then(
            (isDone) => isDone && onDone(),
          )
        }
      >
        Back to this
      </Button>
      <Failure error={error} />
    </span>
  );
}

/** `light.text` → what is wrong with it. */
function problemsOf(error: ApiError | null): Map<string, string> {
  const given = (error?.body['problems'] ?? []) as { place?: string; message: string }[];
  return new Map(given.flatMap(({ place, message }) => (place ? [[place.split('.')[0]!, message] as const] : [])));
}

function poorIn(palette: Palette): number {
  return (Object.keys(parts) as (keyof Palette)[]).filter((part) => unreadable(palette, part).length > 0).length;
}

interface ColoursProps {
  palette: Palette;
  scheme: string;
  onChange: (part: keyof Palette, colour: string) => void;
}

function Colours({ palette, scheme, onChange }: ColoursProps) {
  return (
    <ul className="colours">
      {(Object.keys(parts) as (keyof Palette)[]).map((part) => {
        const poor = unreadable(palette, part);
        const better = poor.length ? nearestReadable(palette, part) : null;
        const least = Math.min(
          ...READABLE_PAIRS.filter(([front]) => front === part).map(([, back]) =>
            contrast(palette[part], palette[back]),
          ),
        );
        const id = `${scheme}-${part}`;
        return (
          <li key={part}>
            <label htmlFor={id}>{parts[part]}</label>
            <input
              id={id}
              type="color"
              value={palette[part]}
              onChange={(event) => onChange(part, event.target.value)}
            />
            <Hex
              label={`${parts[part]}, as a code`}
              colour={palette[part]}
              onChange={(colour) => onChange(part, colour)}
            />
            <span className={poor.length ? 'ratio ratio--poor' : 'ratio'}>
              <span role="status">
                {poor.length
                  ? `Hard to read on “${poor.map(({ back }) => parts[back].toLowerCase()).join('” and “')}”: contrast ${least.toFixed(1)}, needs ${NEEDED_CONTRAST}.`
                  : Number.isFinite(least) && `✓ ${least.toFixed(1)}`}
              </span>{' '}
              {better && (
                <Button kind="quiet" onClick={() => onChange(part, better)}>
                  Use {better}
                </Button>
              )}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

/** A brand's colours are most often handed on as `#0e6b5a`. */
function Hex({ label, colour, onChange }: { label: string; colour: string; onChange: (colour: string) => void }) {
  const [typed, setTyped] = useState<string | null>(null);
  return (
    <input
      className="hex"
      aria-label={label}
      spellCheck={false}
      autoComplete="off"
      maxLength={7}
      value={typed ?? colour}
      onChange={(event) => {
        const value = event.target.value.trim();
        setTyped(value);
        if (/^#[\da-f]{6}$/i.test(value)) onChange(value.toLowerCase());
      }}
      onBlur={() => setTyped(null)}
    />
  );
}

/** What a mail's parts look like, at once, before anything is saved. */
function Look({ brand }: { brand: Brand }) {
  return (
    <section className="card" aria-label="How it looks">
      <h2>How it looks</h2>
      <div className="looks">
        {(['light', 'dark'] as const).map((scheme) => (
          <iframe
            key={scheme}
            className="look"
            sandbox=""
            title={`${brand.name}, ${scheme}`}
            srcDoc={sampleOf(brand, scheme)}
          />
        ))}
      </div>
    </section>
  );
}

function sampleOf({ name, radius, ...brand }: Brand, scheme: 'light' | 'dark'): string {
  const { ground, surface, soft, text, quiet, line, accent, onAccent, danger } = brand[scheme];
  const clean = (words: string) => words.replace(/[<>&]/g, (sign) => `&#${sign.codePointAt(0)};`);
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${scheme}</title><style nonce="${styleNonce}">
:root{color-scheme:${scheme}}body{margin:0;padding:16px;font:14px/20px system-ui,sans-serif;background:${ground};color:${text}}
div{background:${surface};border:1px solid ${line};border-radius:${Number(radius)}px;padding:16px}h1{font-size:18px;margin:0 0 8px}
p{margin:0 0 8px}.b{display:inline-block;background:${accent};color:${onAccent};border-radius:${Number(radius)}px;padding:8px 16px;font-weight:600}
.l{color:${accent};text-decoration:underline}.q{color:${quiet};font-size:13px}.s{background:${soft};border-radius:${Number(radius)}px;padding:8px 12px}.d{color:${danger}}
</style></head><body inert><div><h1>${clean(name)}</h1><p class="s">Your own message</p><p>Our team has replied. <span class="l">A link</span></p><p class="b">Read the reply</p><p class="d">Something went wrong.</p><p class="q">This email is only a notification.</p></div></body></html>`;
}

function Logo({ brand, mayEdit, reload }: { brand: Brand; mayEdit: boolean; reload: () => void }) {
  const { say } = useSession();
  const { busy, error, run } = useAction();
  return (
    <section className="card" aria-label="Logo">
      <h2>Logo</h2>
      {brand.logo ? (
        <p className="logo-box">
          <img src={brand.logo.url} width={brand.logo.width} height={brand.logo.height} alt={`Logo of ${brand.name}`} />
        </p>
      ) : (
        <p className="hint">None: the name is set in type.</p>
      )}
      {mayEdit && (
        <Field
          label="New logo"
          hint="PNG, JPEG or WebP, up to 512 KB. It is saved at once, and shown at most 640 × 160 pixels large."
        >
          {(ids) => (
            <input
              {...ids}
              type="file"
              accept="image/png,image/jpeg,image/webp"
              disabled={busy}
              // The same file can be chosen again.
              onClick={(event) => (event.currentTarget.value = '')}
              onChange={(event) => {
                const file = event.target.files?.[0];
                if (!file) return;
                const form = new FormData();
                form.append('version', String(brand.version));
                form.append('logo', file);
                void run(() => call('PUT', `brands/${brand.key}/logo`, form)).then((isDone) => {
                  if (!isDone) return;
                  say('The logo is saved: mails have it in a few seconds');
                  reload();
                });
              }}
            />
          )}
        </Field>
      )}
      {mayEdit && brand.logo && (
        <Button
          kind="quiet"
          busy={busy}
          onClick={() =>
            void run(() => call('DELETE', `brands/${brand.key}/logo?version=${brand.version}`)).then(
              (isDone) => isDone && reload(),
            )
          }
        >
          Remove the logo
        </Button>
      )}
      <Failure error={error} />
    </section>
  );
}
