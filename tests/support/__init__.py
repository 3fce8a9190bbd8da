"""What tests share: databases, sample sites, Django projects, schemas and worlds."""
