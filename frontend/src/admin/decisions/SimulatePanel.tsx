import { Button, NativeSelect } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState, type SyntheticEvent } from 'react';
import { supposed } from '../../api/adminDecisions';
import { publicPlansQuery } from '../../api/queries';
import type { RefusalWhole, Supposition } from '../../api/types';
import { texts } from '../../texts';
import { ErrorNotice } from '../../ui/ErrorNotice';
import { meterName, type Reader } from '../../usage/meterText';
import type { UnitOf } from '../../usage/units';
import { AmountField } from '../AmountField';
import { amountOf } from '../typedAmount';
import classes from './Decisions.module.css';
import { SupposedTable } from './SupposedTable';

const LIMITS = ['same', 'add', 'set', 'unlimited'] as const;
type LimitKind = (typeof LIMITS)[number];

interface SimulatePanelProps {
  readonly decision: RefusalWhole;
  readonly unitOf: UnitOf;
  readonly reader: Reader;
}

/** Asks the same question as if the account had another plan or another limit. Nothing comes of it. */
export function SimulatePanel({ decision, unitOf, reader }: SimulatePanelProps) {
  const words = texts.adminDecisions;
  const plans = useQuery(publicPlansQuery).data?.plans;
  const [plan, setPlan] = useState('');
  const [kind, setKind] = useState<LimitKind>('same');
  const [typed, setTyped] = useState('');
  const [isTried, setIsTried] = useState(false);
  const asking = useMutation({
    mutationFn: (body: Supposition) => supposed(decision.id, decision.account.id, body),
  });
  const unit = unitOf(decision.meter);
  const isCounted = decision.code === 'quota_exceeded' && decision.meter !== null;
  const amount = amountOf(typed, unit);
  const needsAmount = kind === 'add' || kind === 'set';
  const isWrong = needsAmount && (amount === null || (kind === 'add' && amount === 0));

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    setIsTried(true);
    if (isWrong) return;
    asking.mutate({ ...(plan === '' ? {} : { plan }), ...(kind === 'same' ? {} : { override: limitOf(kind, amount) }) });
  }

  return (
    <>
      <p className={classes.quiet}>{words.supposeLead}</p>
      <form className={classes.suppose} onSubmit={submit} noValidate>
        <NativeSelect
          label={texts.why.plan}
          value={plan}
          data={[
            { value: '', label: words.asItIs },
            ...(plans ?? []).map(({ name, display_name: label }) => ({ value: name, label })),
          ]}
          onChange={(event) => setPlan(event.currentTarget.value)}
        />
        {isCounted && (
          <NativeSelect
            label={words.limitOf(meterName(decision.meter ?? ''))}
            value={kind}
            data={LIMITS.map((value) => ({ value, label: words.limits[value] }))}
            onChange={(event) => setKind(LIMITS.find((one) => one === event.currentTarget.value) ?? 'same')}
          />
        )}
        {needsAmount && (
          <AmountField
            label={texts.adminUser.overrides.amount}
            unit={unit}
            value={typed}
            least={kind === 'add' ? 1 : 0}
            isTried={isTried}
            onChange={setTyped}
          />
        )}
        <Button type="submit" variant="default" loading={asking.isPending}>
          {words.ask}
        </Button>
      </form>
      {asking.isError && <ErrorNotice error={asking.error} title={words.notAsked} />}
      <div role="status">
        {asking.data && <SupposedTable decision={decision} now={asking.data} unitOf={unitOf} reader={reader} />}
      </div>
    </>
  );
}

function limitOf(kind: Exclude<LimitKind, 'same'>, amount: number | null): NonNullable<Supposition['override']> {
  return kind === 'unlimited' ? { kind: 'set', amount: null } : { kind, amount };
}
