cargo build --profile bench --example prof 2>&1 | grep -E '^error' -A9; for s in ordered missing shuffled escapes; do echo $s; ./target/release/examples/prof $s; done
