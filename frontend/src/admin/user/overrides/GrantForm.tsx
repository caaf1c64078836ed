import { Button, Checkbox, NativeSelect, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { USERS } from '../../../api/adminQueries';
import { api } from '../../../api/client';
import { answerOf } from '../../../api/problem';
import type { MeterUsage } from '../../../api/types';
import settings from '../../../settings/Settings.module.css';
import { useSaidUntilNext } from '../../../settings/useSaidUntilNext';
import { texts } from '../../../texts';
import { zoneName } from '../../../texts/format';
import { ErrorNotice } from '../../../ui/ErrorNotice';
import { Notice } from '../../../ui/Notice';
import type { Reader } from '../../../usage/meterText';
import { AmountField } from '../../AmountField';
import { amountOf } from '../../typedAmount';
import { ReasonField } from '../acts/ReasonField';
import { momentIn } from './moment';
import { changeText } from './overrideText';

interface GrantFormProps {
  readonly userId: string;
  readonly meters: readonly MeterUsage[];
  /** In whose zone the times are meant. */
  readonly reader: Reader;
}

const KINDS = ['add', 'set'] as const;
const NOTHING = { amount: '', from: '', until: '', reason: '' };

/** Gives an account another limit of one meter, for some time or until it is taken back. */
export function GrantForm({ userId, meters, reader: { zone, now } }: GrantFormProps) {
  const client = useQueryClient();
  const [meter, setMeter] = useState(meters[0]?.meter ?? '');
  const [kind, setKind] = useState<(typeof KINDS)[number]>('add');
  const [isUnlimited, setIsUnlimited] = useState(false);
  const [said, setSaid] = useState(NOTHING);
  const [isTried, setIsTried] = useState(false);
  const words = texts.adminUser.overrides;
  const unlimited = kind === 'set' && isUnlimited;
  const unit = meters.find((one) => one.meter === meter)?.unit ?? 'one';
  const amount = amountOf(said.amount, unit);
  const [from, until] = [momentIn(zone, said.from), momentIn(zone, said.until)];
  const endsTooEarly = until !== null && Date.parse(until) <= (from === null ? now.getTime() : Date.parse(from));
  const isReady = (unlimited || amount !== null) && said.reason.trim() !== '' && !endsTooEarly;

  const granting = useMutation({
    mutationFn: () =>
      answerOf(
        api.POST('/v1/admin/users/{user_id}/overrides', {
          params: { path: { user_id: userId } },
          body: {
            meter,
            kind,
            amount: unlimited ? null : amount,
            starts_at: from,
            ends_at: until,
            reason: said.reason.trim(),
          },
        }),
      ),
    onSuccess: () => {
      setSaid(NOTHING);
      setIsTried(false);
    },
    onSettled: () => client.invalidateQueries({ queryKey: USERS }),
  });

  useSaidUntilNext(granting.isSuccess, granting.reset);

  function say(field: keyof typeof NOTHING, value: string) {
    setSaid((before) => ({ ...before, [field]: value }));
  }

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setIsTried(true);
    if (isReady) granting.mutate();
  }

  return (
    <form className={settings.form} onSubmit={submit} noValidate>
      {granting.isError && <ErrorNotice error={granting.error} title={texts.adminUser.notDone} />}
      {granting.isSuccess && <Notice tone="good" title={words.given(changeText(granting.data, meters))} />}
      <NativeSelect
        label={words.meter}
        data={meters.map(({ meter: value, name: label }) => ({ value, label }))}
        value={meter}
        onChange={(event) => setMeter(event.currentTarget.value)}
      />
      <NativeSelect
        label={words.kind}
        data={KINDS.map((value) => ({ value, label: words.kinds[value] }))}
        value={kind}
        onChange={(event) => setKind(KINDS.find((one) => one === event.currentTarget.value) ?? 'add')}
      />
      {kind === 'set' && (
        <Checkbox
          label={words.noLimit}
          checked={isUnlimited}
          onChange={(event) => setIsUnlimited(event.currentTarget.checked)}
        />
      )}
      {!unlimited && (
        <AmountField
          label={words.amount}
          unit={unit}
          value={said.amount}
          least={0}
          isTried={isTried}
          onChange={(text) => say('amount', text)}
        />
      )}
      <TextInput
        type="datetime-local"
        label={words.starts}
        description={words.startsHint(zoneName(zone))}
        value={said.from}
        onChange={(event) => say('from', event.currentTarget.value)}
      />
      <TextInput
        type="datetime-local"
        label={words.ends}
        description={words.endsHint(zoneName(zone))}
        value={said.until}
        error={isTried && endsTooEarly ? words.endsWrong : undefined}
        onChange={(event) => say('until', event.currentTarget.value)}
      />
      <ReasonField
        label={words.reason}
        hint={words.reasonHint}
        value={said.reason}
        onChange={(value) => say('reason', value)}
        isMissed={isTried}
      />
      <Button type="submit" loading={granting.isPending}>
        {words.submit}
      </Button>
    </form>
  );
}
