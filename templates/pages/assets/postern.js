// Comfort only: every page works without this file. No value from the page is ever put back as markup, except the
// page's own HTML when it is fetched again.
(() => {
  'use strict';
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  const { lang } = document.documentElement;
  const rules = new Intl.PluralRules(lang);
  const number = new Intl.NumberFormat(lang);
  /** The sentence for this number, of the forms that the page's language has. */
  const counted = (forms, count, values = {}) => {
    const known = JSON.parse(forms);
    return fill(known[`=${count}`] ?? known[rules.select(count)] ?? known.other, {
      ...values,
      count: number.format(count),
    });
  };

  /** Calls `tick(secondsLeft)` every second until nothing is left. The page's own clock may be wrong; a span is not. */
  function countDown(seconds, tick) {
    const end = performance.now() + seconds * 1000;
    const step = () => {
      const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      tick(left);
      if (left > 0) setTimeout(step, 1000);
    };
    step();
  }

  /** 75 → 1:15, in the digits of the page's language. */
  function span(seconds) {
    const digits = (n, least) =>
      new Intl.NumberFormat(lang, { minimumIntegerDigits: least, useGrouping: false }).format(n);
    return `${digits(Math.floor(seconds / 60), 1)}:${digits(seconds % 60, 2)}`;
  }

  // The button counts down by itself; without this file the sentence above it says when.
  for (const line of all('[data-resend-when]')) line.remove();
  for (const button of all('[data-wait]')) {
    const label = button.textContent;
    countDown(Number(button.dataset.wait), (left) => {
      button.disabled = left > 0;
      button.textContent = left > 0 ? fill(button.dataset.waitText, { time: span(left) }) : label;
    });
  }

  for (const line of all('[data-expires-in]')) {
    countDown(Number(line.dataset.expiresIn), (left) => {
      line.textContent = left > 0 ? fill(line.dataset.left, { time: span(left) }) : line.dataset.over;
      if (left === 0) line.setAttribute('role', 'status');
    });
  }

  /** A form is sent once, and its button says so; coming back by the browser's button frees it again. */
  for (const form of all('form[data-once]')) {
    form.addEventListener('submit', (event) => {
      if (form.dataset.sent) return event.preventDefault();
      form.dataset.sent = 'yes';
      const button = event.submitter;
      if (!button?.dataset.busy) return;
      button.dataset.label = button.textContent;
      button.textContent = button.dataset.busy;
      button.setAttribute('aria-disabled', 'true');
    });
  }
  addEventListener('pageshow', (event) => {
    if (!event.persisted) return;
    for (const form of all('form[data-sent]')) delete form.dataset.sent;
    for (const button of all('[data-label]')) {
      button.textContent = button.dataset.label;
      button.removeAttribute('aria-disabled');
    }
  });

  /** Without a known zone the server writes UTC: the browser knows better. */
  function localTimes(root = document) {
    if (!('localTimes' in document.body.dataset)) return;
    const short = new Intl.DateTimeFormat(lang, { day: 'numeric', month: 'short', hour: 'numeric', minute: '2-digit' });
    const full = new Intl.DateTimeFormat(lang, { dateStyle: 'full', timeStyle: 'long' });
    for (const time of all('time', root)) {
      const at = new Date(time.dateTime);
      time.textContent = ('full' in time.dataset ? full : short).format(at);
      time.title = full.format(at);
    }
  }
  localTimes();

  // What one came for. Without this file the browser's own menu prints.
  if (document.body.classList.contains('page--print')) addEventListener('load', () => print());

  /** What was typed outlives a closed tab's reload; it stays in this tab and goes when the reply was taken. */
  const reply = document.querySelector('[data-draft]');
  if (reply) {
    const body = reply.querySelector('textarea');
    const place = `draft ${reply.dataset.draft}`;
    try {
      if (document.querySelector('.flash--done')) sessionStorage.removeItem(place);
      else if (!body.value) body.value = sessionStorage.getItem(place) ?? '';
      body.addEventListener('input', () => sessionStorage.setItem(place, body.value));
    } catch {
      // Storage may be switched off or full: then there is no draft, and nothing else changes.
    }
    // The way to the reply box leads nowhere new once the box is in view.
    new IntersectionObserver(([box]) => document.body.classList.toggle('at-reply', box.isIntersecting)).observe(reply);
    if (!CSS.supports('field-sizing', 'content')) {
      const grow = () => {
        body.style.height = 'auto';
        body.style.height = `${body.scrollHeight + 2}px`;
      };
      body.addEventListener('input', grow);
      grow();
    }
  }

  const picker = document.querySelector('[data-picker]');
  if (picker) {
    const input = picker.querySelector('input');
    const limits = picker.dataset;
    const hint = picker.querySelector('.hint');
    const make = (tag, className) => Object.assign(document.createElement(tag), { className });
    const chips = make('ul', 'chips');
    const total = make('p', 'hint');
    const error = make('div', 'error');
    error.setAttribute('role', 'alert');
    hint.after(error, chips, total);
    picker.classList.add('picker--enhanced');
    const told = make('p', 'hidden');
    told.setAttribute('role', 'status');
    picker.append(told);

    const bytes = (size) => {
      const mega = size >= 1024 * 1024;
      const value = mega ? Math.round((size / 1024 / 1024) * 10) / 10 : Math.max(1, Math.round(size / 1024));
      const unit = mega ? 'megabyte' : 'kilobyte';
      return new Intl.NumberFormat(lang, { style: 'unit', unit, unitDisplay: 'short' }).format(value);
    };
    const kinds = input.accept.split(',').map((kind) => kind.trim().toLowerCase());
    const faultOf = ({ file, name, size, fault = '' }) => {
      if (fault || !file) return fault;
      if (size > Number(limits.maxFileBytes)) return fill(limits.tooLarge, { name });
      return kinds.some((kind) => name.toLowerCase().endsWith(kind)) ? '' : fill(limits.wrongKind, { name });
    };

    /**
     * What the chips show. `state`: `waiting`, `sending`, `sent` (in the draft at the server, under `sha256`), `failed`
     * (the network; it goes with the form itself) or `refused`. Without `data-files` all wait for the form.
     */
    const picked = [];
    const sum = () => picked.reduce((total, { size }) => total + size, 0);
    const together = () => [
      ...(picked.length > Number(limits.maxFiles) ? [limits.tooMany] : []),
      ...(sum() > Number(limits.maxTotalBytes) ? [limits.tooLargeTogether] : []),
    ];

    /** The form holds what the chips show: what waits at the server by its hash, the rest as files. */
    function show() {
      const held = new DataTransfer();
      for (const { state, file } of picked) if (state !== 'sent') held.items.add(file);
      input.files = held.files;
      const faults = [...picked.map(faultOf).filter(Boolean), ...together()];
      const shown = all('p', error).map(({ textContent }) => textContent);
      if (shown.join('\n') !== faults.join('\n'))
        error.replaceChildren(...faults.map((text) => Object.assign(make('p', ''), { textContent: text })));
      for (const one of picked) update(one);
      total.textContent = picked.length > 1 ? counted(limits.picked, picked.length, { size: bytes(sum()) }) : '';
      return faults.length === 0;
    }

    function put(one) {
      const item = make('li', 'chip');
      const name = Object.assign(make('bdi', 'chip__name'), { textContent: one.name, title: one.name });
      const size = Object.assign(make('span', 'chip__size'), { textContent: bytes(one.size) });
      const state = make('span', 'chip__state');
      const bar = Object.assign(make('progress', 'chip__bar'), { max: 100, hidden: true });
      bar.setAttribute('aria-label', one.name);
      const retry = Object.assign(make('button', 'chip__retry'), { type: 'button', textContent: limits.retry });
      retry.setAttribute('aria-label', `${limits.retry}: ${one.name}`);
      retry.addEventListener('click', () => {
        one.state = 'waiting';
        remove.focus();
        show();
        pump();
      });
      const remove = Object.assign(make('button', 'chip__remove'), { type: 'button' });
      remove.setAttribute('aria-label', fill(limits.remove, { name: one.name }));
      remove.addEventListener('click', () => drop(one));
      item.append(name, size, state, bar, retry, remove);
      chips.append(item);
      picked.push(Object.assign(one, { item, bar, state: one.state ?? 'waiting' }));
    }

    function update({ item, bar, state, percent = 0, sha256, ...one }) {
      const look = faultOf(one) ? 'bad' : state;
      item.className = `chip chip--${look}`;
      bar.hidden = state !== 'sending';
      bar.value = percent;
      const words = {
        sending: new Intl.NumberFormat(lang, { style: 'percent' }).format(percent / 100),
        bad: limits.failed,
      };
      item.querySelector('.chip__state').textContent = limits.files ? (words[look] ?? limits[look]) : '';
      item.querySelector('.chip__retry').hidden = state !== 'failed';
      // Beside the others that wait it goes along with the form.
      let field = item.querySelector('input');
      if (state !== 'sent' || field) return;
      field = Object.assign(make('input', ''), { type: 'hidden', name: 'keep', value: sha256 });
      item.append(field);
    }

    /** Away from the page, and from the server where it is there already. */
    function drop(one, isWanted = false) {
      const index = picked.indexOf(one);
      picked.splice(index, 1);
      one.dropped = true;
      const hadFocus = one.item.contains(document.activeElement);
      one.item.remove();
      if (one.sha256 && !isWanted) forget(one);
      show();
      if (hadFocus) (picked[Math.min(index, picked.length - 1)]?.item.querySelector('.chip__remove') ?? input).focus();
      pump();
    }

    const token = () => reply.querySelector('[name=formToken]').value;
    function forget({ sha256, key }) {
      const name = key.slice(sha256.length + 1);
      const body = new URLSearchParams({ formToken: token(), sha256, name });
      // Left there, it is shown once more when the page is.
      void fetch(`${limits.files}/remove`, { method: 'POST', body, keepalive: true }).catch(() => {});
    }

    let current = null;
    let whenIdle = null;
    /** One after the other, as long as all of them could go together. */
    function pump() {
      if (current) return;
      const next =
        limits.files && together().length === 0 && picked.find((one) => one.state === 'waiting' && !faultOf(one));
      if (!next) {
        whenIdle?.();
        whenIdle = null;
        return;
      }
      current = next;
      next.state = 'sending';
      const request = new XMLHttpRequest();
      request.upload.addEventListener('progress', ({ loaded, total: whole }) => {
        next.percent = Math.floor((loaded / whole) * 100);
        if (!next.dropped) update(next);
      });
      request.addEventListener('loadend', () => {
        current = null;
        const { dropped } = next;
        settle(next, request);
        // Picked twice, a file is one.
        const twin = next.sha256 && picked.find((one) => one !== next && one.key === next.key);
        if (twin && !dropped) drop(next, true);
        else if (dropped && !twin && next.sha256) forget(next);
        if (!next.dropped) {
          show();
          told.textContent = `${next.name}: ${next.state === 'sent' ? limits.sent : limits.failed}`;
        }
        pump();
      });
      const form = new FormData();
      form.append('formToken', token());
      form.append('files', next.file, next.name);
      request.open('POST', limits.files);
      request.send(form);
      show();
    }

    function settle(one, { status, responseText }) {
      one.state = 'failed';
      if (status !== 200 && status !== 422) return;
      const { files, faults } = JSON.parse(responseText);
      if (status === 422) return Object.assign(one, { state: 'refused', fault: faults.join(' ') });
      const { sha256, name } = files[0];
      // The server may have cleaned the name.
      Object.assign(one, { state: 'sent', sha256, key: `${sha256} ${name}` });
    }

    function add(more) {
      const known = new Set(picked.map(({ file }) => file && `${file.name}|${file.size}|${file.lastModified}`));
      for (const file of more)
        if (!known.has(`${file.name}|${file.size}|${file.lastModified}`))
          put({ file, name: file.name, size: file.size });
      show();
      pump();
    }
    // What waits since before becomes chips like the others.
    for (const field of all('.kept input', reply)) {
      const name = field.parentElement.querySelector('bdi').textContent;
      const { value: sha256, dataset } = field;
      put({ name, size: Number(dataset.size), sha256, key: `${sha256} ${name}`, state: 'sent' });
    }
    reply.querySelector('.kept')?.remove();
    show();

    // A second choice adds to the first: on a phone pictures are often picked one by one.
    input.addEventListener('change', () => add([...input.files]));
    // A screenshot is pasted, files are dropped anywhere on the form.
    reply.addEventListener('paste', (event) => {
      if (event.clipboardData.files.length === 0) return;
      event.preventDefault();
      add([...event.clipboardData.files]);
    });
    const over = (event) => {
      if (!event.dataTransfer.types.includes('Files')) return;
      event.preventDefault();
      reply.classList.toggle('reply--over', event.type === 'dragover');
      if (event.type === 'drop') add([...event.dataTransfer.files]);
    };
    for (const type of ['dragover', 'dragleave', 'drop']) reply.addEventListener(type, over);

    /** The same form by the same way, with its progress shown. Whatever has no simple answer goes as any form does. */
    function send(free) {
      const box = reply.querySelector('.sending');
      const [bar, line] = [box.querySelector('progress'), box.querySelector('[role=status]')];
      box.hidden = bar.hidden = false;
      box.classList.remove('sending--failed');
      const request = new XMLHttpRequest();
      request.upload.addEventListener('progress', ({ loaded, total: whole }) => {
        bar.value = Math.floor((loaded / whole) * 100);
        const percent = number.format(bar.value);
        line.textContent = bar.value < 100 ? fill(box.dataset.progress, { percent }) : box.dataset.almost;
      });
      request.addEventListener('load', () => {
        if (request.status === 200 && request.responseURL) {
          try {
            sessionStorage.removeItem(`draft ${reply.dataset.draft}`);
          } catch {
            // No storage, no draft.
          }
          return location.replace(`${request.responseURL}#newest`);
        }
        if (![422, 429, 503].includes(request.status) || !request.responseText.includes('flash--error'))
          return reply.submit();
        // Refused: text and files stay where they are, and only what is wrong is said.
        const fresh = new DOMParser().parseFromString(request.responseText, 'text/html');
        const faults = all('.flash--error li', fresh).map(({ textContent }) =>
          Object.assign(make('p', ''), { textContent }),
        );
        const there = new Set(all('[name=offered]', fresh).map(({ value }) => value));
        for (const one of picked.filter(({ state, sha256 }) => state === 'sent' && !there.has(sha256))) {
          // Taken away by another tab, or too old: it goes once more where its bytes are still here.
          one.item.querySelector('input').remove();
          if (one.file) Object.assign(one, { state: 'failed', sha256: null });
          else drop(one, true);
        }
        show();
        error.replaceChildren(...faults);
        box.hidden = true;
        free();
        input.focus();
      });
      request.addEventListener('error', () => {
        free();
        bar.hidden = true;
        box.classList.add('sending--failed');
        line.textContent = box.dataset.failed;
      });
      request.open('POST', reply.action);
      request.send(new FormData(reply));
    }
    // Before the form's own listener, which sends a form once: here a refused one does not count as sent.
    reply.addEventListener(
      'submit',
      async (event) => {
        if (picked.length === 0) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        if (reply.dataset.sent) return;
        if (!show()) return input.focus();
        reply.dataset.sent = 'yes';
        chips.classList.add('chips--sending');
        const button = reply.querySelector('.primary');
        const label = button.textContent;
        button.textContent = button.dataset.busy;
        button.setAttribute('aria-disabled', 'true');
        const free = () => {
          delete reply.dataset.sent;
          chips.classList.remove('chips--sending');
          button.textContent = label;
          button.removeAttribute('aria-disabled');
        };
        await new Promise((resolve) => {
          whenIdle = resolve;
          pump();
        });
        if (show()) return send(free);
        free();
        input.focus();
      },
      { capture: true },
    );
  }

  const newest = document.querySelector('.flash--done') ?? document.getElementById('newest');
  if (newest && !location.hash && !document.querySelector('[autofocus]')) newest.scrollIntoView({ block: 'nearest' });

  const conversation = document.getElementById('conversation');
  if (conversation) {
    const news = Object.assign(document.createElement('p'), { className: 'hidden' });
    news.setAttribute('role', 'status');
    document.body.append(news);
    const pageOf = async (path) => {
      // A page that cannot be had (session over, network away) is left as it is: a reload could lose what was typed.
      const answer = await fetch(path, { credentials: 'same-origin' }).catch(() => null);
      if (!answer?.ok) return null;
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      localTimes(fresh);
      return fresh;
    };

    /** Earlier messages come in above, and what was being read stays where it is. */
    const earlier = conversation.querySelector('.timeline--earlier');
    const more = conversation.querySelector('.earlier .more-messages');
    more?.addEventListener('click', async (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      const label = more.textContent;
      more.textContent = more.dataset.busy;
      const fresh = await pageOf(more.href);
      if (!fresh) return location.assign(more.href);
      more.textContent = label;
      const first = earlier.firstElementChild;
      const top = first.getBoundingClientRect().top;
      earlier.prepend(...all('.timeline--recent > .message', fresh));
      scrollBy(0, first.getBoundingClientRect().top - top);
      const next = fresh.querySelector('.more-messages:not([href*="#"])');
      if (next) more.href = next.getAttribute('href');
      else more.remove();
      const focused = first.previousElementSibling;
      focused.tabIndex = -1;
      focused.focus({ preventScroll: true });
    });

    /** How far was read is told once the newest message was in view. */
    const seen = () => {
      const { seen: action, newestAt } = conversation.dataset;
      if (!action || document.hidden || seen.told === newestAt) return;
      seen.told = newestAt;
      const token = document.querySelector('[name=formToken]')?.value ?? '';
      const body = new URLSearchParams({ formToken: token, until: newestAt });
      void fetch(action, { method: 'POST', body, keepalive: true }).catch(() => {});
    };
    const sight = new IntersectionObserver(
      (entries) => entries.some(({ isIntersecting }) => isIntersecting) && atNewest(),
    );
    const watch = () => {
      sight.disconnect();
      const last = document.getElementById('newest');
      if (last) sight.observe(last);
    };
    const jump = Object.assign(document.createElement('button'), { className: 'jump', type: 'button', hidden: true });
    conversation.append(jump);
    let unseen = 0;
    const atNewest = () => {
      unseen = 0;
      jump.hidden = true;
      seen();
    };
    jump.addEventListener('click', () => document.getElementById('newest')?.scrollIntoView({ block: 'nearest' }));
    document.addEventListener('visibilitychange', watch);
    watch();

    /** News: the page is fetched again, and what differs is put in place; the reply box and the scroll are left alone. */
    const refresh = async () => {
      const fresh = await pageOf(location.pathname);
      const recent = conversation.querySelector('.timeline--recent');
      const freshConversation = fresh?.getElementById('conversation');
      if (!freshConversation) return;
      if (!recent) return location.reload();
      let changed = false;
      let added = 0;
      const status = [document, fresh].map((root) => root.getElementById('status'));
      if (status[0].outerHTML !== status[1].outerHTML) {
        changed = true;
        status[0].replaceWith(status[1]);
      }
      const here = new Map(all('[data-entry]', conversation).map((one) => [one.dataset.entry, one]));
      const anchor = recent.lastElementChild?.querySelector('.message__card');
      const top = anchor?.getBoundingClientRect().top;
      document.getElementById('newest')?.querySelector('.message__newest')?.remove();
      document.getElementById('newest')?.removeAttribute('id');
      const there = all('[data-entry]', freshConversation);
      for (const one of there) {
        const known = here.get(one.dataset.entry);
        if (!known) {
          recent.append(one);
          added += one.classList.contains('message--mine') ? 0 : 1;
        } else if (known.outerHTML !== one.outerHTML) known.replaceWith(one);
        changed ||= !known || known.innerHTML !== one.innerHTML;
      }
      // Hidden at its source since: it is on neither page any more.
      const ids = new Set(there.map(({ dataset }) => dataset.entry));
      for (const [id, one] of here) if (!ids.has(id) && one.parentElement === recent && there.length < 30) one.remove();
      if (anchor?.isConnected) scrollBy(0, anchor.getBoundingClientRect().top - top);
      conversation.dataset.newestAt = freshConversation.dataset.newestAt;
      unseen += added;
      const { new: forms, updated } = conversation.dataset;
      jump.textContent = counted(forms, unseen);
      jump.hidden = unseen === 0;
      if (changed) news.textContent = unseen > 0 ? jump.textContent : updated;
      watch();
    };
    // A reply under way is asked after until it has come, less and less often and not for ever.
    const waits = [2, 3, 5, 10, 20, 40];
    const ask = () => {
      const seconds = document.querySelector('.state--sending') && waits.shift();
      if (seconds) setTimeout(() => refresh().then(ask), seconds * 1000);
    };
    if (conversation.dataset.stream && 'EventSource' in window) {
      const stream = new EventSource(conversation.dataset.stream);
      stream.addEventListener('update', refresh);
      // Refused for good: there are too many, or the session is over.
      stream.addEventListener('error', () => stream.readyState === EventSource.CLOSED && ask());
      addEventListener('pagehide', () => stream.close());
    } else if (conversation.dataset.seen) ask();
  }
})();
