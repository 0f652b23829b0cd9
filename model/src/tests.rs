//! The kernels against a plain walk, the tables against the trees, the reasons against their sum.

use proptest::prelude::*;

use crate::additive::{Feature, collapse};
use crate::forest::{Aggregate, Branch, Forest, Mode, Node};
use crate::program::{Head, Kind, Program, Step};
use crate::random::{feature, forest};
use crate::{Cells, Scorer, Scratch, with_background};

/// Number columns, straight into a forest.
fn program(forest: Forest, columns: usize) -> Program {
    let numbers = (0..columns as u32).map(|column| Step::Number { column, round: false, out: column });
    let inputs: Vec<u32> = (0..columns as u32).collect();
    let targets = forest.targets() as u32;
    let head = Head { step: columns as u32, output: 0, log_odds: true, columns: inputs.clone(), means: Vec::new() };
    let trees = Step::Trees { inputs, forest, out: columns as u32 };
    Program {
        columns: vec![Kind::Float; columns],
        steps: numbers.chain([trees]).collect(),
        registers: columns as u32 + targets,
        scores: (columns as u32..columns as u32 + targets).collect(),
        head: Some(head),
    }
}

fn walked(forest: &Forest, features: &[f64]) -> Vec<f64> {
    let mut sums = forest.base.clone();
    for tree in &forest.trees {
        let leaf = forest.walk(tree, |feature| features[feature]);
        for (target, weight) in tree.targets.iter().zip(forest.weights(tree, leaf)) {
            sums[*target as usize] += weight;
        }
    }
    sums
}

fn check(forest: &Forest, rows: &[Vec<f64>]) -> Result<(), TestCaseError> {
    let columns: Vec<Vec<f64>> = (0..3).map(|column| rows.iter().map(|row| row[column]).collect()).collect();
    let cells: Vec<Cells<'_>> = columns.iter().map(|values| Cells::Float(values)).collect();
    let scorer = Scorer::new(program(forest.clone(), 3)).unwrap();
    let mut scores = vec![0.0; rows.len() * forest.targets()];
    scorer.score(&cells, &mut Scratch::default(), &mut scores).unwrap();
    for (row, features) in rows.iter().enumerate() {
        for (target, sum) in walked(forest, features).into_iter().enumerate() {
            prop_assert_eq!(scores[target * rows.len() + row].to_bits(), sum.to_bits(), "row {} {:?}", row, features);
        }
    }
    Ok(())
}

fn rows() -> impl Strategy<Value = Vec<Vec<f64>>> {
    prop::collection::vec(prop::collection::vec(feature(), 3), 1..20)
}

proptest! {
    #[test]
    fn small_trees_by_masks_give_the_bits_of_a_walk(forest in forest(3, 12, 31, 2, false), rows in rows()) {
        check(&forest, &rows)?;
    }

    #[test]
    fn large_trees_eight_at_a_time_give_the_bits_of_a_walk(forest in forest(3, 3, 150, 3, false), rows in rows()) {
        check(&forest, &rows)?;
    }

    #[test]
    fn rows_beyond_one_chunk_are_scored_alike(forest in forest(3, 4, 100, 1, false), rows in rows()) {
        let many: Vec<Vec<f64>> = rows.into_iter().cycle().take(crate::scorer::CHUNK * 2 + 7).collect();
        check(&forest, &many)?;
    }

    #[test]
    fn tables_give_the_bits_of_the_trees(forest in forest(2, 30, 4, 1, true), rows in prop::collection::vec((feature(), any::<i64>(), -5_i64..5), 1..40)) {
        let features = [Feature::Number { column: 0, round: true }, Feature::Number { column: 1, round: true }];
        let (base, parts) = collapse(&forest, &features, 0).unwrap();
        let steps = vec![Step::Additive { base, parts: parts.clone(), out: 0 }];
        let program = Program { columns: vec![Kind::Float, Kind::BigInt], steps, registers: 1, scores: vec![0], head: None };
        let scorer = Scorer::from_bytes(&program.to_bytes()).unwrap();
        let floats: Vec<f64> = rows.iter().map(|row| row.0).collect();
        for integers in [rows.iter().map(|row| row.1).collect::<Vec<_>>(), rows.iter().map(|row| row.2).collect()] {
            let mut sums = vec![0.0; rows.len()];
            scorer.score(&[Cells::Float(&floats), Cells::BigInt(&integers)], &mut Scratch::default(), &mut sums).unwrap();
            for (row, sum) in sums.iter().enumerate() {
                let features = [f64::from(floats[row] as f32), f64::from(integers[row] as f32)];
                let expected = walked(&forest, &features)[0];
                prop_assert!((sum - expected).abs() < 1e-9, "row {}: {} {}", row, sum, expected);
                let plain = parts.iter().fold(base, |sum, part| sum + part.at(if matches!(part.source, crate::additive::Source::Number { column: 0, .. }) { features[0] } else { features[1] }));
                prop_assert_eq!(sum.to_bits(), plain.to_bits());
            }
        }
    }

    #[test]
    fn the_base_and_the_contributions_add_up_to_the_value(forest in forest(3, 6, 20, 1, false), rows in rows(), background in prop::option::of(rows())) {
        let mut program = program(forest, 3);
        let column = |rows: &[Vec<f64>], column: usize| rows.iter().map(|row| row[column]).collect::<Vec<f64>>();
        if let Some(rows) = background {
            let columns: Vec<Vec<f64>> = (0..3).map(|place| column(&rows, place)).collect();
            program = with_background(program, &columns.iter().map(|values| Cells::Float(values)).collect::<Vec<_>>(), rows.len()).unwrap();
        }
        let scorer = Scorer::new(program).unwrap();
        let columns: Vec<Vec<f64>> = (0..3).map(|place| column(&rows, place)).collect();
        let cells: Vec<Cells<'_>> = columns.iter().map(|values| Cells::Float(values)).collect();
        let (mut values, mut contributions) = (vec![0.0; rows.len()], vec![0.0; rows.len() * 3]);
        scorer.explain(&cells, &mut Scratch::default(), &mut values, &mut contributions).unwrap();
        for (value, contributions) in values.iter().zip(contributions.chunks(3)) {
            let sum = scorer.explained_base().unwrap() + contributions.iter().sum::<f64>();
            prop_assert!((sum - value).abs() < 1e-9, "{} {}", sum, value);
        }
    }

    #[test]
    fn corrupt_bytes_are_an_error_and_never_a_panic(forest in forest(3, 4, 10, 2, false), changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>()) {
        let bytes = program(forest, 3).to_bytes();
        prop_assert!(Scorer::from_bytes(&bytes[..cut.index(bytes.len())]).is_err());
        let mut changed = bytes;
        for (at, value) in changes {
            let at = at.index(changed.len());
            changed[at] = value;
        }
        if let Ok(scorer) = Scorer::from_bytes(&changed)
            && scorer.program().columns == vec![Kind::Float; 3]
        {
            scorer.score(&[Cells::Float(&[1.0]); 3], &mut Scratch::default(), &mut vec![0.0; scorer.outputs()]).unwrap();
        }
    }
}

fn node(mode: Mode, missing_is_true: bool) -> Node {
    Node { feature: 0, threshold: 0.5, mode, missing_is_true, when_true: Branch::Leaf(1), when_false: Branch::Leaf(0) }
}

/// The answers of onnxruntime 1.2x for features 0, 0.5, 1 and NaN.
#[test]
fn branch_modes_compare_as_onnxruntime_does() {
    let expected = [
        (Mode::Leq, [true, true, false, false]),
        (Mode::Lt, [true, false, false, false]),
        (Mode::Gte, [false, true, true, false]),
        (Mode::Gt, [false, false, true, false]),
        (Mode::Eq, [false, true, false, false]),
        (Mode::Neq, [true, false, true, true]),
    ];
    for (mode, holds) in expected {
        for (feature, holds) in [0.0, 0.5, 1.0, f64::NAN].into_iter().zip(holds) {
            assert_eq!(node(mode, false).next(feature), Branch::Leaf(u32::from(holds)), "{mode:?} {feature}");
            assert_eq!(node(mode, true).next(feature), Branch::Leaf(u32::from(holds || feature.is_nan())), "{mode:?} {feature}");
        }
    }
}

#[test]
fn a_branch_backwards_or_out_of_range_is_refused() {
    let ends = |when_true| {
        let tree = crate::Tree { root: Branch::Node(0), first_leaf: 0, leaves: 2, targets: vec![0], first_weight: 0 };
        let nodes = vec![Node { when_true, ..node(Mode::Leq, false) }];
        Forest { nodes, trees: vec![tree], weights: vec![0.0; 2], aggregate: Aggregate::Sum, base: vec![0.0], covers: None }
    };
    assert!(ends(Branch::Leaf(1)).check(1).is_ok());
    assert!(ends(Branch::Leaf(2)).check(1).is_err());
    assert!(ends(Branch::Node(0)).check(1).is_err());
    assert!(ends(Branch::Node(1)).check(1).is_err());
    assert!(ends(Branch::Leaf(1)).check(0).is_err());
}

#[test]
fn columns_of_another_kind_number_or_length_are_errors() {
    let program = Program {
        columns: vec![Kind::Float],
        steps: vec![Step::Number { column: 0, round: true, out: 0 }],
        registers: 1,
        scores: vec![0],
        head: None,
    };
    let scorer = Scorer::new(program).unwrap();
    let mut scores = [0.0; 2];
    let mut error = |columns: &[Cells<'_>]| scorer.score(columns, &mut Scratch::default(), &mut scores).map_err(|error| error.to_string());
    assert_eq!(error(&[]).unwrap_err(), "the model reads 1 columns, 0 were given");
    assert_eq!(error(&[Cells::BigInt(&[1, 2])]).unwrap_err(), "column 0 of the model reads floats");
    assert_eq!(error(&[Cells::Float(&[1.0])]).unwrap_err(), "column 0 has 1 rows, 2 scores are asked for");
    assert_eq!(error(&[Cells::Float(&[1.0, 2.0])]), Ok(()));
    assert_eq!(scores, [1.0, 2.0]);
}
