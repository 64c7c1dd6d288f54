SELECT
    set_config('default_transaction_isolation', 'read committed', false),
    set_config(
        'lock_timeout',
        CASE
            WHEN current_setting('lock_timeout')::interval > interval '0'
                AND current_setting('lock_timeout')::interval
                    < %(lock_timeout)s * interval '1 millisecond'
            THEN current_setting('lock_timeout')
            ELSE %(lock_timeout)s || 'ms'
        END,
        false
    ),
    set_config('idle_in_transaction_session_timeout', '15s', false),
    set_config('enable_seqscan', 'off', false),
    set_config('enable_bitmapscan', 'off', false),
    set_config('enable_mergejoin', 'off', false),
    set_config('jit', 'off', false),
    set_config('plan_cache_mode', 'force_generic_plan', false),
    clock_timestamp()
