import { Button, NativeSelect } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { ADMIN_DATA } from '../../api/adminQueries';
import { api } from '../../api/client';
import { answerOf } from '../../api/problem';
import type { RefusalWhole } from '../../api/types';
import settings from '../../settings/Settings.module.css';
import { texts } from '../../texts';
import { formatMoment } from '../../texts/format';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { formatAmount } from '../../usage/amount';
import { meterName, type Reader } from '../../usage/meterText';
import { AmountField } from '../AmountField';
import { amountOf } from '../typedAmount';
import { ReasonField } from '../user/acts/ReasonField';

interface GrantHereProps {
  readonly decision: RefusalWhole;
  readonly meter: string;
  /** In base units. */
  readonly missing: number;
  readonly unit: string;
  readonly reader: Reader;
  /** Is told what was given; null as soon as another try is made. */
  readonly onSaid: (said: string | null) => void;
}

/** Gives the account what this request lacks: until its window ends, or until it is taken back. */
export function GrantHere({ decision, meter, missing, unit, reader, onSaid }: GrantHereProps) {
  const client = useQueryClient();
  const words = texts.adminDecisions;
  const ends = decision.now.resets_at;
  const [typed, setTyped] = useState<string | null>(null);
  const [lasts, setLasts] = useState(false);
  const [reason, setReason] = useState('');
  const [isTried, setIsTried] = useState(false);
  const amount = amountOf(typed ?? String(missing), unit);
  const isReady = amount !== null && amount > 0 && reason.trim() !== '';

  const granting = useMutation({
    mutationFn: (body: { amount: number; ends_at: string | null }) =>
      answerOf(
        api.POST('/v1/admin/accounts/{account_id}/overrides', {
          params: { path: { account_id: decision.account.id } },
          body: { meter, kind: 'add', reason: reason.trim(), ...body },
        }),
      ),
    onSuccess: ({ amount: given }) => onSaid(words.given(meterName(meter), formatAmount(given ?? 0, unit))),
    onSettled: () => client.invalidateQueries({ queryKey: ADMIN_DATA }),
  });

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setIsTried(true);
    onSaid(null);
    if (isReady) granting.mutate({ amount, ends_at: lasts ? null : ends });
  }

  return (
    <form className={settings.form} onSubmit={submit} noValidate>
      {granting.isError && <ErrorNotice error={granting.error} title={texts.adminUser.notDone} />}
      <AmountField
        label={words.more(meterName(meter))}
        unit={unit}
        value={typed ?? String(missing)}
        least={1}
        isTried={isTried}
        onChange={setTyped}
      />
      {ends !== null && (
        <NativeSelect
          label={words.until}
          value={lasts ? 'open' : 'window'}
          data={[
            { value: 'window', label: words.untilReset(formatMoment(ends, reader.zone, reader.now)) },
            { value: 'open', label: words.untilTakenBack },
          ]}
          onChange={(event) => setLasts(event.currentTarget.value === 'open')}
        />
      )}
      <ReasonField
        label={texts.adminUser.overrides.reason}
        hint={texts.adminUser.overrides.reasonHint}
        value={reason}
        onChange={setReason}
        isMissed={isTried}
      />
      <Button type="submit" loading={granting.isPending}>
        {words.give}
      </Button>
    </form>
  );
}
