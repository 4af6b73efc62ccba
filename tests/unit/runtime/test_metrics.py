"""The figures of several shards, as one page."""

from __future__ import annotations

from prometheus_client import generate_latest

from launch_agent.runtime.metrics import Metrics, merge


def test_figures_of_several_shards_are_one_family_each_told_apart_by_a_label() -> None:
    found = {"0": Metrics(), "1": Metrics()}
    found["0"].slots.set(3)
    found["1"].slots.set(2)
    found["1"].popped.labels("gpu").inc()
    lines = generate_latest(merge(lambda: found)).decode().splitlines()
    assert lines.count("# TYPE launch_agent_slots gauge") == 1
    assert 'launch_agent_slots{shard="0"} 3.0' in lines
    assert 'launch_agent_slots{shard="1"} 2.0' in lines
    assert 'launch_agent_items_popped_total{queue="gpu",shard="1"} 1.0' in lines


def test_one_shard_s_page_is_as_it_was_without_shards() -> None:
    one = Metrics()
    one.popped.labels("gpu").inc()
    one.launch_seconds.observe(0.2)
    assert generate_latest(merge(lambda: {"": one})) == generate_latest(one.registry)


def test_what_is_true_of_a_running_agent_only_is_forgotten_and_counters_go_on() -> None:
    one = Metrics()
    one.items.labels("running").set(3)
    one.foreign.set(2)
    one.loop_beat.labels("tracker").set_to_current_time()
    one.popped.labels("gpu").inc()
    one.forget()
    text = generate_latest(one.registry).decode()
    assert "launch_agent_items{" not in text
    assert "tracker" not in text
    assert "launch_agent_foreign_workloads 0.0" in text
    assert 'launch_agent_items_popped_total{queue="gpu"} 1.0' in text
