"""Statistics against published tables and cases that were computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from maquette.bench import statistics as stats
from maquette.errors import BenchmarkError

# Demšar (2006), Table 2 and 6: AUC of four variants of C4.5 on 14 data sets.
AUC = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],  # ranked 2 and 3 there, though equal in three digits
        [0.957, 0.978, 0.946, 0.970],
    ]
)


class TestRegret:
    def test_optimum_is_zero_and_the_median_config_one(self) -> None:
        regret = stats.normalised_regret([[0.2, 0.5], [0.8, math.nan]], optimum=0.2, median=0.5)
        np.testing.assert_allclose(regret, [[0, 1], [2, math.nan]])

    def test_a_task_with_nothing_to_find_is_refused(self) -> None:
        with pytest.raises(BenchmarkError, match="not above the optimum"):
            stats.normalised_regret([0.1], optimum=0.2, median=0.2)

    def test_incumbent_is_the_first_of_the_lowest_and_never_a_failure(self) -> None:
        nan, inf = math.nan, math.inf
        assert stats.incumbent([nan, 3, 3, -inf, 2, nan, 2]).tolist() == [-1, 1, 1, 1, 4, 4, 4]
        assert stats.incumbent([]).tolist() == []

    @given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30))
    def test_incumbent_agrees_with_a_loop(self, losses: list[float]) -> None:
        best, want = -1, []
        for i, loss in enumerate(losses):
            if math.isfinite(loss) and (best < 0 or loss < losses[best]):
                best = i
            want.append(best)
        assert stats.incumbent(losses).tolist() == want


class TestAnytime:
    def test_area_of_a_staircase(self) -> None:
        # 1 on [0, 1), 0.5 on [1, 3), 0.25 on [3, 5): (1 + 1 + 0.5) / 5.
        assert stats.area([1, 3, 9], [0.5, 0.25, 0.0], until=5) == pytest.approx(0.5)
        assert stats.area([1, 3], [0.5, 0.25], until=5, start=1) == pytest.approx(1.5 / 4)

    def test_value_holds_from_its_time_on(self) -> None:
        got = stats.at([1, 1, 3], [0.9, 0.5, 0.25], [0.5, 1, 2.9, 3, 4], before=1.0)
        assert got.tolist() == [1.0, 0.5, 0.5, 0.25, 0.25]

    def test_crossing(self) -> None:
        assert stats.crossing([1, 3, 9], [0.5, 0.25, 0.0], 0.25) == 3
        assert stats.crossing([1, 3, 9], [0.5, 0.25, math.nan], 0.1) == math.inf

    def test_malformed_curves_are_refused(self) -> None:
        with pytest.raises(BenchmarkError, match="go back"):
            stats.area([2, 1], [1, 1], until=3)
        with pytest.raises(BenchmarkError, match="spans no time"):
            stats.area([1], [1], until=0)


class TestFriedman:
    def test_the_published_example(self) -> None:
        """Demšar (2006), sections 3.2.2: ranks 3.143, 2.000, 2.893, 1.964; 9.28; 3.69."""
        found = stats.friedman(-AUC)
        np.testing.assert_allclose(found.mean_ranks, [3.143, 2.0, 2.893, 1.964], atol=5e-4)
        assert found.chi2 == pytest.approx(9.28, abs=5e-3)
        assert pytest.approx(3.69, abs=5e-3) == found.F
        assert found.p < 0.05

    @pytest.mark.parametrize(
        ("alpha", "published"),
        [
            (0.05, [1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164]),
            (0.10, [1.645, 2.052, 2.291, 2.459, 2.589, 2.693, 2.780, 2.855, 2.920]),
        ],
    )
    def test_critical_values_of_nemenyi(self, alpha: float, published: list[float]) -> None:
        """Demšar (2006), Table 5a, for 2 to 10 optimizers."""
        for k, q in zip(range(2, 11), published, strict=True):
            got = stats.critical_difference(k, 14, alpha) / math.sqrt(k * (k + 1) / (6 * 14))
            assert got == pytest.approx(q, abs=2e-3)

    def test_the_published_critical_differences(self) -> None:
        assert stats.critical_difference(4, 14, 0.10) == pytest.approx(1.12, abs=5e-3)
        assert stats.critical_difference(4, 14, 0.05) == pytest.approx(1.25, abs=5e-3)

    def test_a_pair_is_significant_exactly_beyond_the_critical_difference(self) -> None:
        found = stats.friedman(-AUC)
        gap = np.abs(found.mean_ranks[:, None] - found.mean_ranks)
        for alpha in (0.05, 0.10):
            bar = stats.critical_difference(4, 14, alpha)
            np.testing.assert_array_equal(found.pairs < alpha, gap > bar)

    def test_perfect_agreement_is_certain(self) -> None:
        found = stats.friedman(np.tile([1.0, 2.0, 3.0], (5, 1)))
        assert found.chi2 == pytest.approx(10)
        assert found.p == 0

    def test_one_task_is_too_few(self) -> None:
        with pytest.raises(BenchmarkError, match="two tasks"):
            stats.friedman([[1, 2, 3]])

    def test_groups_are_maximal_and_nested_ones_are_left_out(self) -> None:
        assert stats.groups([3.0, 1.0, 1.5, 2.2], 1.0) == [(1, 2), (2, 3), (3, 0)]
        assert stats.groups([1.0, 1.1, 1.2], 1.0) == [(0, 1, 2)]
        assert stats.groups([1.0, 3.0], 1.0) == []


class TestWilcoxon:
    def test_the_published_example(self) -> None:
        """Demšar (2006), section 3.1.3: R+ = 93, R- = 12 for C4.5+m over C4.5."""
        found = stats.wilcoxon(AUC[:, 1], AUC[:, 0])
        assert (found.plus, found.minus) == (93, 12)
        assert found.p < 0.05

    @pytest.mark.parametrize(
        # Critical values of T at 0.05, two-sided: T in the table is significant, T + 1 is not.
        ("n", "T"),
        [(6, 0), (7, 2), (8, 3), (10, 8), (12, 13), (15, 25), (20, 52), (25, 89)],
    )
    def test_exact_critical_values(self, n: int, T: int) -> None:
        for sum_, significant in ((T, True), (T + 1, False)):
            assert (stats.wilcoxon(*differences(n, sum_)).p <= 0.05) == significant

    @settings(max_examples=50)
    @given(st.integers(0, 2**31), st.integers(5, 40))
    def test_agrees_with_scipy_where_both_are_exact(self, seed: int, n: int) -> None:
        rng = np.random.default_rng(seed)
        a, b = rng.normal(size=(2, n))
        found = stats.wilcoxon(a, b)
        assert found.exact
        assert found.p == pytest.approx(scipy_stats.wilcoxon(a, b, method="exact").pvalue)

    def test_a_missing_result_is_the_worst_one(self) -> None:
        a, b = np.array([1.0, 2.0, 3.0, math.nan]), np.array([1.1, 2.2, 3.3, 1e9])
        assert stats.wilcoxon(a, b).plus == 4  # the largest rank
        assert stats.wilcoxon([math.nan, 1.0], [math.inf, 1.0]).p == 1

    def test_holm_by_hand(self) -> None:
        # 0.01 x 4, 0.03 x 3, 0.04 x 2 raised to 0.09, 0.5.
        got = stats.holm([0.04, 0.01, 0.5, 0.03])
        np.testing.assert_allclose(got, [0.09, 0.04, 0.5, 0.09])


def differences(n: int, T: int) -> tuple[np.ndarray, np.ndarray]:
    """Two lists whose n differences have the negative rank sum T."""
    d, rest = np.arange(1.0, n + 1), T
    for rank in range(n, 0, -1):
        if rank <= rest:
            d[rank - 1] *= -1
            rest -= rank
    assert rest == 0
    return d, np.zeros(n)


class TestProfiles:
    # Four tasks, three submissions; the third misses two targets, the last task nobody reaches.
    TIMES = np.array([[1.0, 2.0, 4.0], [3.0, 1.5, math.inf], [2.0, 2.0, 5.0], [math.inf] * 3])

    def test_the_score_by_hand(self) -> None:
        # Ratios: 1, 2, inf, inf..., so (4 - ratio)+ sums: (3 + 2 + 3) / 12, (2 + 3 + 3) / 12,
        # (0 + 0 + 1.5) / 12.
        got = stats.algoperf_score(self.TIMES)
        np.testing.assert_allclose(got, [8 / 12, 8 / 12, 1.5 / 12], rtol=0, atol=1e-15)

    def test_the_score_is_the_integral_of_the_profile(self) -> None:
        tau = np.linspace(1, 4, 30_001)
        rho = stats.ratio_profile(self.TIMES, tau)
        integral = np.trapezoid(rho, tau, axis=1) / 3
        np.testing.assert_allclose(stats.algoperf_score(self.TIMES), integral, atol=1e-4)

    def test_profile_by_hand(self) -> None:
        got = stats.ratio_profile(self.TIMES, [1, 2, 2.5])
        np.testing.assert_allclose(got, [[0.5, 0.75, 0.75], [0.5, 0.75, 0.75], [0, 0, 0.25]])

    @given(st.integers(0, 2**31))
    def test_another_submission_never_raises_a_score(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        times = rng.lognormal(size=(6, 4))
        times[rng.random((6, 4)) < 0.2] = np.inf
        alone = stats.algoperf_score(times[:, :3])
        assert (stats.algoperf_score(times)[:3] <= alone + 1e-12).all()

    def test_equal_submissions_score_one(self) -> None:
        np.testing.assert_array_equal(stats.algoperf_score(np.full((3, 2), 7.0)), [1, 1])

    def test_share_of_runs_below_a_threshold(self) -> None:
        scores = [[[0.1, 0.3], [0.5, math.nan]], [[0.2, 0.2], [0.1, 0.9]]]
        got = stats.score_profile(scores, [0.2, 1.0])
        np.testing.assert_allclose(got, [[0.75, 1.0], [0.25, 0.75]])

    def test_speedup_is_the_median_ratio(self) -> None:
        times = [[10.0, 5.0], [10.0, 2.5], [10.0, 10.0], [math.inf, math.inf]]
        assert stats.speedup(times, baseline=0).tolist() == [1.0, 2.0]

    def test_who_misses_the_target_is_no_faster(self) -> None:
        times = [[10.0, math.inf], [10.0, math.inf], [math.inf, 3.0]]
        assert stats.speedup(times, baseline=0).tolist() == [1.0, 0.0]
        assert stats.speedup([[math.inf, 3.0]], baseline=0)[1] == math.inf


class TestRanksAndImprovement:
    def test_ties_share_and_missing_results_are_last(self) -> None:
        got = stats.ranks([[0.1, 0.1, math.nan, 0.3, math.inf]])
        assert got.tolist() == [[1.5, 1.5, 4.5, 3.0, 4.5]]

    def test_mean_ranks_weigh_tasks_equally(self) -> None:
        scores = [[[1, 1], [2, 2]], [[2, 1], [1, 2]]]
        assert stats.mean_ranks(scores).tolist() == [1.25, 1.75]

    def test_probability_of_improvement_by_hand(self) -> None:
        # Task 1: pairs (1,2) (1,4) (3,2) (3,4): three wins of four. Task 2: all tied.
        scores = [[[1, 3], [2, 4]], [[5, 5], [5, 5]]]
        got = stats.probability_of_improvement(scores)
        np.testing.assert_allclose(got, [[0.5, 0.625], [0.375, 0.5]])

    def test_missing_results_lose(self) -> None:
        got = stats.probability_of_improvement([[[math.nan, 1.0], [9.0, 9.0]]])
        assert got[0, 1] == 0.5


class TestBootstrap:
    def test_no_spread_no_interval(self) -> None:
        found = stats.interval(stats.mean_ranks, np.tile([[[1.0], [2.0]]], (4, 1, 5)), draws=50)
        assert found.low.tolist() == found.high.tolist() == found.value.tolist() == [1, 2]

    def test_covers_the_mean_as_often_as_it_says(self) -> None:
        rng = np.random.default_rng(0)
        hits = 0
        for i in range(200):
            X = rng.normal(size=(3, 1, 20))
            found = stats.interval(lambda s: s.mean(axis=(0, 2)), X, draws=200, level=0.9, seed=i)
            hits += bool(found.low[0] <= 0 <= found.high[0])
        assert 160 <= hits <= 192  # 0.9 x 200, and a little short with 20 seeds

    def test_resampled_tasks_widen_it(self) -> None:
        X = np.random.default_rng(1).normal(size=(5, 2, 10)) + np.arange(5)[:, None, None]
        fixed, drawn = (
            stats.interval(lambda s: s.mean(axis=(0, 2)), X, draws=300, tasks=t)
            for t in (False, True)
        )
        assert (drawn.high - drawn.low > 2 * (fixed.high - fixed.low)).all()

    def test_shape_is_checked(self) -> None:
        with pytest.raises(BenchmarkError, match="tasks, optimizers, seeds"):
            stats.interval(stats.mean_ranks, [[1.0, 2.0]])


class TestSeeds:
    @pytest.mark.parametrize(("effect", "n"), [(0.2, 199), (0.5, 34), (0.8, 15)])
    def test_the_published_numbers(self, effect: float, n: int) -> None:
        """Small, medium and large effects at level 0.05, power 0.8, paired and two-sided."""
        d = np.array([-1.0, 1.0] * 50)
        d = d / d.std(ddof=1) + effect
        assert stats.seeds_needed(d) == n

    def test_no_difference_needs_no_number(self) -> None:
        assert stats.seeds_needed([1.0, -1.0]) is None
        assert stats.seeds_needed([0.5, 0.5]) == 2
        with pytest.raises(BenchmarkError, match="two seeds"):
            stats.seeds_needed([0.5, math.nan])


class TestDiscrepancy:
    POINTS = np.random.default_rng(3).random((60, 3)) ** 2

    def test_everything_stands_for_itself(self) -> None:
        assert stats.star_discrepancy(self.POINTS, range(60)) == 0

    def test_one_dimension_by_hand(self) -> None:
        points = np.arange(4.0)[:, None]
        # Shares of {0, 1} in the boxes: 1/2, 1, 1, 1 against 1/4, 1/2, 3/4, 1.
        assert stats.star_discrepancy(points, [0, 1]) == 0.5
        assert stats.star_discrepancy(points, [0, 3]) == 0.25

    def test_beats_nearly_all_random_subsets(self) -> None:
        chosen = stats.representative(self.POINTS, 12)
        rng = np.random.default_rng(0)
        ours = stats.star_discrepancy(self.POINTS, chosen)
        drawn = [
            stats.star_discrepancy(self.POINTS, rng.choice(60, 12, replace=False))
            for _ in range(100)
        ]
        assert len(set(chosen)) == 12
        assert np.mean([ours < d for d in drawn]) >= 0.95

    def test_many_optimizers_and_equal_seeds(self) -> None:
        points = np.random.default_rng(5).random((20, 12))
        assert stats.representative(points, 5) == stats.representative(points, 5)

    def test_bad_requests_are_refused(self) -> None:
        with pytest.raises(BenchmarkError, match="cannot choose 9 of 3"):
            stats.representative(np.ones((3, 2)), 9)
        with pytest.raises(BenchmarkError, match="finite"):
            stats.representative([[1.0, math.nan]], 1)
